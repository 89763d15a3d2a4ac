//! The `weir` command: runs, feeds and inspects a Weir.

mod accounts;
mod backlog;
mod cli;
mod countries;
mod demo;
mod doctor;
mod draining;
mod edges;
mod event_lines;
mod flush;
mod haproxy;
mod home;
mod human;
mod import;
mod installation;
mod keys;
mod nats_config;
mod operator;
mod output;
mod ports;
mod priority;
mod process;
mod provision;
mod publish;
mod rejected;
mod replay;
mod rules;
mod secrets;
mod service;
mod session;
mod shields;
mod site_settings;
mod sites;
mod status;
mod supervisor;
mod table;
mod tail;
mod up;
mod workerd_config;

use clap::Parser as _;
use output::Output;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = cli::Arguments::parse();
    let output = Output::new(arguments.json);
    if let cli::Command::Reaper { lock } = &arguments.command {
        return match supervisor::reaper::run(lock) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => output.failure(&error, ExitCode::FAILURE),
        };
    }
    let on_error = arguments.command.status_on_error();
    if arguments.command.is_background_work() {
        priority::lower();
    }
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return output.failure(&error.into(), on_error),
    };
    let result = runtime.block_on(cli::run(arguments.command, &output));
    // A thread that still waits for input or a slow disk must not hold the end of the program up.
    runtime.shutdown_timeout(std::time::Duration::from_millis(500));
    match result {
        Ok(status) => status,
        Err(error) => output.failure(&error, on_error),
    }
}
