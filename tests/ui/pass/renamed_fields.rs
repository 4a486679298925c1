//! `#[derive(WorkflowInput)]` gives fields the names that serde writes: for each of its rules, and names of many forms.
#![allow(non_snake_case)]

use serde::Serialize;
use tasker::WorkflowInput;

#[track_caller]
fn compare<T: Serialize + WorkflowInput>(input: &T) {
    let written = serde_json::to_value(input).unwrap();
    let written: Vec<&String> = written.as_object().unwrap().keys().collect();
    assert_eq!(T::FIELDS, written);
}

macro_rules! compare_each {
    ($rule:literal: $($field:ident)*) => {
        $({
            #[derive(Serialize, WorkflowInput)]
            #[serde(rename_all = $rule)]
            struct Input {
                $field: u8,
            }
            compare(&Input { $field: 1 });
        })*
    };
}

macro_rules! compare_rules {
    ($($rule:literal)*) => {
        $(compare_each! {
            $rule: x user user_info user__info _user __user_info user_ user_info__ userInfo userID user_ID User USER_INFO
                r#type r#match_it x1 x1_2y user_1 u_s_e_r naïve naïve_éclair größe_ÄÖ
        })*
    };
}

#[derive(Serialize, WorkflowInput)]
#[serde(rename_all = "camelCase", rename = "Other", deny_unknown_fields)]
struct Mixed {
    own_name: u8,
    #[serde(rename = "own-NAME")]
    renamed: u8,
    #[serde(rename(deserialize = "read_only"))]
    read_otherwise: u8,
    #[serde(rename(serialize = "written", deserialize = "read"), default)]
    both_ways: u8,
    #[serde(alias = "another", skip_serializing_if = "Option::is_none")]
    left_out_when_empty: Option<u8>,
}

#[derive(Serialize, WorkflowInput)]
#[serde(rename_all(serialize = "SCREAMING-KEBAB-CASE", deserialize = "lowercase"))]
struct OneWay {
    user_info: u8,
}

#[derive(Serialize, WorkflowInput)]
#[serde(rename_all(deserialize = "UPPERCASE"))]
struct OtherWay {
    user_info: u8,
}

pub fn main() {
    compare_rules! {
        "lowercase" "UPPERCASE" "PascalCase" "camelCase" "snake_case" "SCREAMING_SNAKE_CASE" "kebab-case"
        "SCREAMING-KEBAB-CASE"
    }
    compare(&OneWay { user_info: 1 });
    compare(&OtherWay { user_info: 1 });
    let mixed =
        Mixed { own_name: 1, renamed: 1, read_otherwise: 1, both_ways: 1, left_out_when_empty: Some(1) };
    assert_eq!(Mixed::FIELDS, ["ownName", "own-NAME", "readOtherwise", "written", "leftOutWhenEmpty"]);
    let written = serde_json::to_value(mixed).unwrap();
    assert!(Mixed::FIELDS.iter().all(|field| written.get(field).is_some()), "{written}");
}
