//! The program; what it does is in the library.

fn main() -> std::process::ExitCode {
    belvedere_conformance::cli::main()
}
