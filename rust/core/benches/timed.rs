//! Measures the time of each scenario. Criterion compares with the previous run.

mod scenarios;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    for scenario in scenarios::SCENARIOS {
        criterion.bench_function(scenario.name, |bencher| bencher.iter((scenario.prepare)()));
    }
    criterion.final_summary();
}
