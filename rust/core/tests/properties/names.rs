//! Names against a map of counts.

use std::collections::HashMap;

use ferrogen_core::{Names, Symbol};
use proptest::prelude::*;

use super::config;

#[derive(Clone, Debug)]
enum Command {
    Intern(String),
    Retain(usize),
    Release(usize),
}

fn command() -> impl Strategy<Value = Command> {
    prop_oneof![
        3 => "[a-h]".prop_map(Command::Intern),
        1 => any::<usize>().prop_map(Command::Retain),
        3 => any::<usize>().prop_map(Command::Release),
    ]
}

proptest! {
    #![proptest_config(config(400))]

    #[test]
    fn agree_with_a_map_of_counts(commands in prop::collection::vec(command(), 0..200)) {
        let mut names = Names::default();
        let mut counts: HashMap<String, (Symbol, usize)> = HashMap::new();
        let mut peak = 0;
        for command in commands {
            let pick = |number: usize| {
                let mut texts: Vec<_> = counts.keys().cloned().collect();
                texts.sort();
                texts.get(number.checked_rem(texts.len())?).cloned()
            };
            match command {
                Command::Intern(text) => {
                    let symbol = names.intern(&text);
                    let entry = counts.entry(text).or_insert((symbol, 0));
                    prop_assert_eq!(entry.0, symbol);
                    entry.1 += 1;
                }
                Command::Retain(number) => {
                    let Some(text) = pick(number) else { continue };
                    let entry = counts.get_mut(&text).expect("a name in use");
                    names.retain(entry.0);
                    entry.1 += 1;
                }
                Command::Release(number) => {
                    let Some(text) = pick(number) else { continue };
                    let entry = counts.get_mut(&text).expect("a name in use");
                    entry.1 -= 1;
                    let (symbol, count) = *entry;
                    prop_assert_eq!(names.release(symbol), count == 0);
                    if count == 0 {
                        counts.remove(&text);
                        prop_assert_eq!(names.get(&text), None);
                        prop_assert!(!names.release(symbol), "a removed name has no user");
                    }
                }
            }
            peak = peak.max(counts.len());
            prop_assert_eq!(names.len(), counts.len());
            prop_assert_eq!(names.is_empty(), counts.is_empty());
            for (text, (symbol, _)) in &counts {
                prop_assert_eq!(names.get(text), Some(*symbol));
                prop_assert!(symbol.index() < peak, "symbols are reused");
                let same = counts.values().filter(|other| other.0 == *symbol);
                prop_assert_eq!(same.count(), 1);
            }
        }
    }
}
