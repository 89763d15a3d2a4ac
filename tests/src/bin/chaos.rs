//! `make chaos`: a region under load while something breaks at random, once a minute for twenty minutes.

/// Only Linux has what it breaks things with.
#[cfg(target_os = "linux")]
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> anyhow::Result<std::process::ExitCode> {
    weir_tests::chaos::command::main().await
}

#[cfg(not(target_os = "linux"))]
fn main() -> anyhow::Result<()> {
    anyhow::bail!("weir-chaos runs on Linux only")
}
