//! Tells the compiler which version of Python the extension is built for.

fn main() {
    pyo3_build_config::use_pyo3_cfgs();
}
