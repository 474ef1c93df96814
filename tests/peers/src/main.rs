//! The command line of the peers; see the library.

use std::process::ExitCode;

use belvedere_peers::{bench, camera, make_file};
use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "belvedere-peers", about = "Cameras, files and a benchmark peer for Belvedere's tests")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serves the test pattern as a camera of another make.
    Camera(camera::Options),
    /// Writes an MP4 file whose pictures carry the code row, faster than real time.
    MakeFile(make_file::Options),
    /// Serves a pre-encoded H.264 file in real time, looped: the other side of a fan-out benchmark.
    BenchServe(bench::Options),
}

fn main() -> ExitCode {
    let command = Cli::parse().command;
    let result = gst::init().map_err(|error| error.to_string()).and_then(|()| match command {
        Command::Camera(options) => camera::run(&options),
        Command::MakeFile(options) => make_file::run(&options),
        Command::BenchServe(options) => bench::run(&options),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            #[expect(clippy::print_stderr, reason = "a command line tool")]
            {
                eprintln!("belvedere-peers: {reason}");
            }
            ExitCode::FAILURE
        }
    }
}
