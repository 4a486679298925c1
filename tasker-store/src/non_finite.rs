//! Finds the numbers in a value that JSON does not have: not-a-number and the infinities, which serde_json
//! would write as `null`.

use std::fmt;

use serde::ser::{self, Serialize, Serializer};

/// The end of a search.
#[derive(Debug)]
pub(crate) enum Search {
    /// There is such a number.
    Found {
        /// Its place, such as `items[3].price`; `.` for the value itself.
        path: String,
        /// `NaN`, `inf` or `-inf`.
        what: String,
    },
    /// The value's own `Serialize` has failed.
    Failed(String),
}

/// Fails at the first number that is not finite.
pub(crate) fn find_non_finite<T: Serialize + ?Sized>(value: &T) -> Result<(), Search> {
    value.serialize(Scan).map_err(|end| match end {
        Search::Found { path, what } if path.is_empty() => Search::Found { path: ".".to_owned(), what },
        end => end,
    })
}

impl Search {
    /// The same number, as seen from around it. So only what was found has the cost of its path.
    fn below(self, place: &str) -> Self {
        match self {
            Self::Found { path, what } => {
                let joint = if path.is_empty() || path.starts_with('[') { "" } else { "." };
                Self::Found { path: format!("{place}{joint}{path}"), what }
            }
            end => end,
        }
    }
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found { path, what } => write!(f, "`{path}` is {what}"),
            Self::Failed(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for Search {}

impl ser::Error for Search {
    fn custom<T: fmt::Display>(reason: T) -> Self {
        Self::Failed(reason.to_string())
    }
}

/// A serializer that writes nothing.
#[derive(Clone, Copy)]
struct Scan;

/// The parts of a list or an object.
struct Parts {
    /// The variant of an enumeration that the parts are in.
    variant: Option<&'static str>,
    index: usize,
    key: String,
}

impl Parts {
    fn new(variant: Option<&'static str>) -> Self {
        Self { variant, index: 0, key: String::new() }
    }

    fn within(&self, end: Search) -> Search {
        match self.variant {
            Some(variant) => end.below(variant),
            None => end,
        }
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Search> {
        let index = self.index;
        self.index += 1;
        value.serialize(Scan).map_err(|end| self.within(end.below(&format!("[{index}]"))))
    }

    fn field<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<(), Search> {
        value.serialize(Scan).map_err(|end| self.within(end.below(key)))
    }
}

/// The text of a map's key, as it is in a path.
fn key_text<T: Serialize + ?Sized>(key: &T) -> String {
    serde_json::to_string(key).map_or_else(|_| "?".to_owned(), |text| text.trim_matches('"').to_owned())
}

macro_rules! nothing_to_find {
    ($($method:ident($ty:ty)),* $(,)?) => {
        $(fn $method(self, _: $ty) -> Result<(), Search> {
            Ok(())
        })*
    };
}

impl Serializer for Scan {
    type Ok = ();
    type Error = Search;
    type SerializeSeq = Parts;
    type SerializeTuple = Parts;
    type SerializeTupleStruct = Parts;
    type SerializeTupleVariant = Parts;
    type SerializeMap = Parts;
    type SerializeStruct = Parts;
    type SerializeStructVariant = Parts;

    nothing_to_find! {
        serialize_bool(bool), serialize_char(char), serialize_str(&str), serialize_bytes(&[u8]),
        serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64), serialize_i128(i128),
        serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64), serialize_u128(u128),
        serialize_unit_struct(&'static str),
    }

    fn serialize_f32(self, number: f32) -> Result<(), Search> {
        self.serialize_f64(number.into())
    }

    fn serialize_f64(self, number: f64) -> Result<(), Search> {
        if number.is_finite() {
            return Ok(());
        }
        Err(Search::Found { path: String::new(), what: number.to_string() })
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, _: &T) -> Result<(), Search> {
        Ok(())
    }

    fn serialize_none(self) -> Result<(), Search> {
        Ok(())
    }

    fn serialize_unit(self) -> Result<(), Search> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Search> {
        value.serialize(self)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, _: &'static str) -> Result<(), Search> {
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Search> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<(), Search> {
        value.serialize(self).map_err(|end| end.below(variant))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Parts, Search> {
        Ok(Parts::new(None))
    }

    fn serialize_tuple(self, _: usize) -> Result<Parts, Search> {
        Ok(Parts::new(None))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Parts, Search> {
        Ok(Parts::new(None))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts, Search> {
        Ok(Parts::new(Some(variant)))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Parts, Search> {
        Ok(Parts::new(None))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Parts, Search> {
        Ok(Parts::new(None))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Parts, Search> {
        Ok(Parts::new(Some(variant)))
    }
}

macro_rules! items {
    ($($of:ident :: $method:ident),* $(,)?) => {
        $(impl ser::$of for Parts {
            type Ok = ();
            type Error = Search;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Search> {
                self.item(value)
            }

            fn end(self) -> Result<(), Search> {
                Ok(())
            }
        })*
    };
}

items! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

macro_rules! fields {
    ($($of:ident),* $(,)?) => {
        $(impl ser::$of for Parts {
            type Ok = ();
            type Error = Search;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), Search> {
                self.field(key, value)
            }

            fn end(self) -> Result<(), Search> {
                Ok(())
            }
        })*
    };
}

fields!(SerializeStruct, SerializeStructVariant);

impl ser::SerializeMap for Parts {
    type Ok = ();
    type Error = Search;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Search> {
        self.key = key_text(key);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Search> {
        self.field(&self.key, value)
    }

    fn serialize_entry<K: Serialize + ?Sized, V: Serialize + ?Sized>(
        &mut self,
        key: &K,
        value: &V,
    ) -> Result<(), Search> {
        value.serialize(Scan).map_err(|end| self.within(end.below(&key_text(key))))
    }

    fn end(self) -> Result<(), Search> {
        Ok(())
    }
}
