//! Does one scenario so many times, for `tools/count_instructions.py` to count under callgrind.
//!
//! `counted` alone prints the names of all; `counted NAME TIMES` does one.

mod scenarios;

use std::process::ExitCode;

use scenarios::SCENARIOS;

fn main() -> ExitCode {
    // `cargo bench` adds an option that only harnesses know.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [name, times] = words.as_slice() else {
        for scenario in SCENARIOS {
            println!("{}", scenario.name);
        }
        return ExitCode::SUCCESS;
    };
    let found = SCENARIOS.iter().find(|scenario| scenario.name == name);
    let (Some(scenario), Ok(times)) = (found, times.parse::<usize>()) else {
        eprintln!("no scenario is called {name:?}, or {times:?} is no number");
        return ExitCode::FAILURE;
    };
    let mut work = (scenario.prepare)();
    for _ in 0..times {
        work();
    }
    ExitCode::SUCCESS
}
