//! The expansion of `workflow!` alone.
//!
//! The sources of the macro are compiled into a macro that calls it and notes how long that takes, so that it runs
//! where it does otherwise, inside of the compiler: the compiler reads its code, and holds its tokens. Each
//! measurement has a compiler of its own, in which the first call is the one that a build makes.

use std::fs;
use std::path::Path;

use crate::build::Build;
use crate::figures::Figures;

/// The variable with the file that times are written to.
pub const VARIABLE: &str = "TASKER_EXPANSION_TIMES";

/// How long each part took, in milliseconds.
#[derive(Debug)]
pub struct Times {
    /// Of the first call in a process
    pub first: Figures,
    /// Of reading the template in that process, once more
    pub reading: Figures,
    /// Of a call after that, to which the template is known, as in a language server
    pub again: Figures,
}

/// Writes the macro that measures, and the crate that calls it.
pub fn write(directory: &Path, version: &str, list: &str, root: &Path) {
    let sources = root.join("tasker-macros/src");
    let manifest = format!(
        "[package]\nname = \"timed\"\nversion = \"{version}\"\nedition = \"2024\"\n\n\
         [lib]\nproc-macro = true\n\n\
         [dependencies]\nproc-macro2 = \"1\"\nquote = \"1\"\nsyn = {{ version = \"3\", \
         features = [\"full\"] }}\ntasker-template = {{ path = {:?} }}\n",
        root.join("tasker-template")
    );
    let code = format!(
        r#"//! Written by a benchmark.
#![allow(dead_code, unreachable_pub)]

#[path = {:?}]
mod errors;
#[path = {:?}]
mod method_path;
#[path = {:?}]
mod workflow;

use std::fmt::Write as _;
use std::time::Instant;

/// Notes the times of calls, and expands to nothing.
#[proc_macro]
pub fn workflow(tokens: proc_macro::TokenStream) -> proc_macro::TokenStream {{
    let mut times = String::new();
    for round in 0..4 {{
        let tokens = tokens.clone();
        let begun = Instant::now();
        let made = workflow::workflow(tokens.into(), syn::parse_quote!(::tasker));
        let made = proc_macro::TokenStream::from(made);
        let _ = writeln!(times, "{{}}", begun.elapsed().as_secs_f64() * 1e3);
        // It has made its code, not messages about mistakes.
        assert!(round < 3 || !made.to_string().contains("compile_error"), "{{made}}");
    }}
    let home = std::env::var("CARGO_MANIFEST_DIR").expect("Cargo says where the crate is");
    let text = std::fs::read_to_string(home + "/../template/bench.yaml");
    let text = text.expect("the template is beside the crate");
    let begun = Instant::now();
    let loaded = tasker_template::load_str("bench.yaml", &text).expect("the template is valid");
    let _ = writeln!(times, "{{}}", begun.elapsed().as_secs_f64() * 1e3);
    drop(loaded);
    if let Some(file) = std::env::var_os("{VARIABLE}") {{
        std::fs::write(file, times).expect("the file of the times can be written");
    }}
    proc_macro::TokenStream::new()
}}
"#,
        sources.join("errors.rs"),
        sources.join("method_path.rs"),
        sources.join("workflow/mod.rs"),
    );
    let home = directory.join("timed");
    fs::create_dir_all(home.join("src")).unwrap();
    fs::write(home.join("Cargo.toml"), manifest).unwrap();
    fs::write(home.join("src/lib.rs"), code).unwrap();

    let home = directory.join("expanded");
    fs::create_dir_all(home.join("src")).unwrap();
    let manifest = format!(
        "[package]\nname = \"expanded\"\nversion = \"{version}\"\nedition = \"2024\"\n\n[dependencies]\n\
         timed = {{ path = \"../timed\" }}\n"
    );
    fs::write(home.join("Cargo.toml"), manifest).unwrap();
    fs::write(home.join("src/lib.rs"), format!("timed::workflow! {{ {list} }}\n")).unwrap();
}

/// Expands the macro in as many compilers.
pub fn measure(build: &Build<'_>, rounds: usize) -> Times {
    let (file, source) = (build.directory.join("times"), build.directory.join("expanded/src/lib.rs"));
    let text = fs::read_to_string(&source).unwrap();
    let (mut first, mut reading, mut again) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        // What Cargo looks at is the time of the file.
        fs::write(&source, &text).unwrap();
        build.check_telling("expanded", VARIABLE, &file);
        let times = fs::read_to_string(&file).unwrap();
        fs::remove_file(&file).unwrap();
        let times: Vec<f64> = times.lines().map(|line| line.parse().unwrap()).collect();
        first.push(times[0]);
        again.push(times[3]);
        reading.push(times[4]);
    }
    Times { first: Figures::of(first), reading: Figures::of(reading), again: Figures::of(again) }
}
