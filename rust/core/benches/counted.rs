//! Runs one scenario repeatedly, for `tools/count_instructions.py` to count under callgrind.
//!
//! `counted` prints the names of all scenarios; `counted NAME TIMES` runs one.

mod scenarios;

use std::process::ExitCode;

use scenarios::SCENARIOS;

fn main() -> ExitCode {
    // `cargo bench` adds an option for its own harness.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [name, times] = words.as_slice() else {
        for scenario in SCENARIOS {
            println!("{}", scenario.name);
        }
        return ExitCode::SUCCESS;
    };
    let found = SCENARIOS.iter().find(|scenario| scenario.name == name);
    let (Some(scenario), Ok(times)) = (found, times.parse::<usize>()) else {
        eprintln!("unknown scenario {name:?}, or {times:?} is not a number");
        return ExitCode::FAILURE;
    };
    let mut work = (scenario.prepare)();
    for _ in 0..times {
        work();
    }
    ExitCode::SUCCESS
}
