//! The corpus of the fuzz targets as plain tests: every input as it is, and some thousands of changes of each target's
//! inputs, the same ones in every run. What libFuzzer finds is added to the corpus, and so stays found.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use fuzz::Target;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, RngSeed, TestRunner};

/// Of each target that only parses.
const CHEAP_CASES: u32 = 2048;

/// Of each that does more.
const COSTLY_CASES: u32 = 256;

const MOST_CHANGES: usize = 6;

/// What parsers stumble over.
const SPLINTERS: [&[u8]; 24] = [
    b"",
    b"\0",
    b"\n",
    b"\r\n",
    b" ",
    b"\"",
    b"\\u202e",
    b"\xe2\x80\xae",
    b"\xff",
    b"null",
    b"true",
    b"[]",
    b"{}",
    b"-1",
    b"0",
    b"1e99",
    b"99999999999999999999",
    b"success",
    b"result",
    b"id",
    b"/",
    b"..",
    b"-009999-01-02T01:59:59Z",
    b"cfat_0123456789abcdef",
];

/// One change of an input.
#[derive(Debug, Clone)]
enum Change {
    /// Another byte.
    Byte(Index, u8),
    /// Something put in between.
    Insert(Index, &'static [u8]),
    /// Some bytes fewer.
    Remove(Index, u8),
    /// Some bytes twice.
    Repeat(Index, u8),
    /// From here on it is another input of the target.
    Splice(Index, Index),
}

#[test]
fn every_input_of_the_corpus_holds() {
    let mut broken = Vec::new();
    for target in Target::ALL {
        let inputs = inputs(target);
        assert!(!inputs.is_empty(), "{} has no corpus", target.name());
        let breaks = |input: &[u8]| catch_unwind(|| target.check(input)).is_err();
        let found = inputs.into_iter().filter(|(_, input)| breaks(input));
        broken.extend(found.map(|(path, _)| path));
    }
    assert!(broken.is_empty(), "each said above why: {broken:#?}");
}

#[test]
fn thousands_of_changed_texts_and_objects_hold() {
    let targets = Target::ALL.into_iter();
    let cheap = targets.filter(|target| !target.is_costly());
    cheap.for_each(|target| check_changed(target, CHEAP_CASES));
}

#[test]
fn hundreds_of_changed_answers_and_definitions_hold() {
    let targets = Target::ALL.into_iter();
    let costly = targets.filter(|target| target.is_costly());
    costly.for_each(|target| check_changed(target, COSTLY_CASES));
}

#[test]
fn every_target_has_its_binary_and_its_corpus_and_there_are_no_others() {
    let mut expected = Target::ALL.map(Target::name);
    expected.sort_unstable();
    assert_eq!(names("corpus"), expected);
    assert_eq!(names("targets"), expected.map(|name| format!("{name}.rs")));
    for (target, file) in
        Target::ALL.map(|target| (target, format!("targets/{}.rs", target.name())))
    {
        let code = fs::read_to_string(package().join(&file)).unwrap();
        assert!(
            code.contains(&format!("Target::{target:?}.check(bytes)")),
            "{file}"
        );
    }
}

fn check_changed(target: Target, cases: u32) {
    let corpus: Vec<Vec<u8>> = inputs(target).into_iter().map(|(_, input)| input).collect();
    let config = Config {
        cases,
        rng_seed: RngSeed::Fixed(6),
        failure_persistence: None,
        ..Config::default()
    };
    let changes = prop::collection::vec(change(), 1..=MOST_CHANGES);
    let outcome = TestRunner::new(config).run(&(any::<Index>(), changes), |(seed, changes)| {
        let mut input = seed.get(&corpus).clone();
        for change in changes {
            input = change.applied(input, &corpus);
        }
        println!("{} {}", target.name(), input.escape_ascii());
        target.check(&input);
        Ok(())
    });
    outcome.unwrap_or_else(|failure| panic!("{}: {failure}", target.name()));
}

fn change() -> impl Strategy<Value = Change> {
    let place = any::<Index>;
    prop_oneof![
        (place(), any::<u8>()).prop_map(|(at, byte)| Change::Byte(at, byte)),
        (place(), select(&SPLINTERS[..])).prop_map(|(at, splinter)| Change::Insert(at, splinter)),
        (place(), any::<u8>()).prop_map(|(at, length)| Change::Remove(at, length)),
        (place(), any::<u8>()).prop_map(|(at, length)| Change::Repeat(at, length)),
        (place(), place()).prop_map(|(at, other)| Change::Splice(at, other)),
    ]
}

impl Change {
    fn applied(self, mut input: Vec<u8>, corpus: &[Vec<u8>]) -> Vec<u8> {
        let place = |at: Index, input: &[u8]| at.index(input.len() + 1);
        let reach =
            |at: usize, length: u8, input: &[u8]| at..(at + usize::from(length)).min(input.len());
        match self {
            Self::Byte(at, byte) => {
                let at = place(at, &input);
                input.splice(reach(at, 1, &input), [byte]);
            }
            Self::Insert(at, splinter) => {
                let at = place(at, &input);
                input.splice(at..at, splinter.iter().copied());
            }
            Self::Remove(at, length) => {
                let at = place(at, &input);
                input.drain(reach(at, length, &input));
            }
            Self::Repeat(at, length) => {
                let at = place(at, &input);
                let again = input[reach(at, length, &input)].to_vec();
                input.splice(at..at, again);
            }
            Self::Splice(at, other) => {
                let at = place(at, &input);
                let other = other.get(corpus);
                input.truncate(at);
                input.extend(other.iter().skip(at));
            }
        }
        input
    }
}

fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What lies in a folder of the package, in order.
fn names(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(package().join(folder)).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    names
}

fn inputs(target: Target) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = format!("corpus/{}", target.name());
    names(&folder)
        .into_iter()
        .map(|name| package().join(&folder).join(name))
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}
