//! Machines with networks of their own: namespaces whose only interface ends in a switch of this program.
//!
//! A frame that one machine sends is read here and given to the other one, late or never if [`Wires`] say so. Cuts are silent, as a pulled
//! cable is, and may be of one direction. Neither `netem` nor a packet filter is needed of the kernel, only namespaces and `/dev/net/tun`.

use super::wire::{ADDRESS_PREFIX, Fate, Receiver, Wires, receiver};
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use std::net::Ipv4Addr;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::time::Instant;
use tun_rs::{AsyncDevice, DeviceBuilder, Layer};

/// Largest packet: fewer frames are fewer wake-ups of the switch.
const PACKET_BYTES_MAX: usize = 16_000;

/// Namespaces and the switch between them. Dropping it leaves the namespaces to the caller's guard.
pub struct Network {
    wires: Arc<Mutex<Wires>>,
    /// Runs the switch on a thread of its own, so that the load does not delay it.
    runtime: Option<Runtime>,
}

/// A frame on its way and when it arrives.
type Late = (Instant, Bytes);

impl Network {
    /// Makes a namespace for each name, `<prefix>-<name>`, with the addresses `base + 2` and so on; this machine has `base + 1`.
    pub fn new(prefix: &str, names: &[String], base: Ipv4Addr) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().thread_name("switch").build()?;
        let mut devices = Vec::new();
        for (number, name) in std::iter::once("").chain(names.iter().map(String::as_str)).enumerate() {
            // At most 15 characters may name an interface.
            let interface = format!("{prefix}x{number}");
            let device = {
                let _entered = runtime.enter();
                let built = DeviceBuilder::new().name(&interface).layer(Layer::L2).build_async();
                built.with_context(|| format!("cannot make the interface {interface}"))?
            };
            let namespace = (!name.is_empty()).then(|| format!("{prefix}-{name}"));
            configure(&interface, namespace.as_deref(), number, base)?;
            devices.push(Arc::new(device));
        }
        let wires = Arc::new(Mutex::new(Wires::new(devices.len())));
        switch(&runtime, &devices, &wires);
        Ok(Self { wires, runtime: Some(runtime) })
    }

    /// Changes what becomes of frames.
    pub fn change(&self, change: impl FnOnce(&mut Wires)) {
        change(&mut locked(&self.wires));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// The address of a machine.
pub fn address(base: Ipv4Addr, number: usize) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(base) + number as u32 + 1)
}

fn locked(wires: &Mutex<Wires>) -> MutexGuard<'_, Wires> {
    wires.lock().unwrap_or_else(PoisonError::into_inner)
}

fn configure(interface: &str, namespace: Option<&str>, number: usize, base: Ipv4Addr) -> Result<()> {
    let [first, second, third, fourth, fifth] = ADDRESS_PREFIX;
    let hardware = format!("{first:02x}:{second:02x}:{third:02x}:{fourth:02x}:{fifth:02x}:{number:02x}");
    let mut inside = vec!["ip".to_owned()];
    if let Some(namespace) = namespace {
        ip(&["netns", "add", namespace])?;
        ip(&["link", "set", interface, "netns", namespace])?;
        inside.extend(["-n".to_owned(), namespace.to_owned()]);
    }
    let address = format!("{}/24", address(base, number));
    let mtu = PACKET_BYTES_MAX.to_string();
    let mut lines = vec![
        vec!["link", "set", interface, "address", &hardware, "mtu", &mtu],
        vec!["address", "add", &address, "dev", interface],
        vec!["link", "set", interface, "up"],
    ];
    if namespace.is_some() {
        lines.push(vec!["link", "set", "lo", "up"]);
    }
    for line in lines {
        let arguments: Vec<&str> = inside.iter().skip(1).map(String::as_str).chain(line).collect();
        ip(&arguments)?;
    }
    Ok(())
}

/// Runs `ip`.
pub fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(arguments).output().context("cannot run ip: install iproute2")?;
    ensure!(output.status.success(), "ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

/// One task reads each machine's frames; one for each direction holds back what is late, in order.
fn switch(runtime: &Runtime, devices: &[Arc<AsyncDevice>], wires: &Arc<Mutex<Wires>>) {
    for (from, device) in devices.iter().enumerate() {
        let mut late = Vec::new();
        for to in devices {
            let (sender, mut frames) = unbounded_channel::<Late>();
            let to = Arc::clone(to);
            late.push(sender);
            runtime.spawn(async move {
                while let Some((at, frame)) = frames.recv().await {
                    tokio::time::sleep_until(at).await;
                    deliver(&to, &frame).await;
                }
            });
        }
        let (device, devices, wires) = (Arc::clone(device), devices.to_vec(), Arc::clone(wires));
        runtime.spawn(async move {
            let mut frame = vec![0_u8; PACKET_BYTES_MAX + 100];
            while let Ok(length) = device.recv(&mut frame).await {
                let frame = frame.get(..length).unwrap_or_default();
                match receiver(frame) {
                    Receiver::One(to) => carry(frame, (from, to), &wires, &devices, &late).await,
                    Receiver::All => {
                        for to in (0..devices.len()).filter(|to| *to != from) {
                            carry(frame, (from, to), &wires, &devices, &late).await;
                        }
                    }
                    Receiver::None => {}
                }
            }
        });
    }
}

async fn carry(
    frame: &[u8],
    (from, to): (usize, usize),
    wires: &Mutex<Wires>,
    devices: &[Arc<AsyncDevice>],
    late: &[UnboundedSender<Late>],
) {
    let fate = locked(wires).fate(from, to);
    match (fate, devices.get(to), late.get(to)) {
        (Fate::Late(Duration::ZERO), Some(device), _) => deliver(device, frame).await,
        (Fate::Late(delay), _, Some(late)) => {
            // The other end is there as long as this task is.
            let _ended = late.send((Instant::now() + delay, Bytes::copy_from_slice(frame)));
        }
        _ => {}
    }
}

/// A frame that cannot be delivered is lost: its sender sends again.
async fn deliver(device: &AsyncDevice, frame: &[u8]) {
    let _lost = device.send(frame).await;
}

#[cfg(test)]
mod tests {
    use super::super::region::Abilities;
    use super::*;
    use crate::poll::until_true;
    use std::net::TcpListener;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn machines_reach_each_other_unless_the_wire_is_cut() -> Result<()> {
        if !Abilities::networks() {
            eprintln!("NOT TRIED: network namespaces need root on Linux");
            return Ok(());
        }
        let prefix = format!("wn{:x}", std::process::id());
        let [.., high, low] = std::process::id().to_be_bytes();
        let base = Ipv4Addr::new(10, high, low, 0);
        let names = ["one".to_owned(), "two".to_owned()];
        let network = Network::new(&prefix, &names, base)?;
        let listener = TcpListener::bind((address(base, 0), 0))?;
        let here = listener.local_addr()?;
        let connects = |name: &str| {
            let script = format!("timeout 0.5 bash -c 'exec 3<>/dev/tcp/{}/{}'", here.ip(), here.port());
            let status = Command::new("ip").args(["netns", "exec", &format!("{prefix}-{name}"), "sh", "-c", &script]).output();
            status.is_ok_and(|output| output.status.success())
        };
        let within = Duration::from_secs(10);
        until_true("one to reach us", within, async || connects("one")).await?;
        network.change(|wires| wires.cut_off(1));
        ensure!(!connects("one") && connects("two"), "only one is cut off");
        network.change(|wires| wires.heal(1));
        network.change(|wires| wires.cut(0, 2));
        ensure!(connects("one") && !connects("two"), "two does not hear us");
        network.change(|wires| wires.heal(2));
        network.change(|wires| wires.delay(2, Duration::from_millis(5)));
        until_true("two to reach us late", within, async || connects("two")).await?;
        for name in names {
            ip(&["netns", "del", &format!("{prefix}-{name}")])?;
        }
        Ok(())
    }
}
