//! Two hosts on a network of their own: network namespaces joined by a virtual cable.

use std::ffi::OsStr;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};

/// The network; it goes when this is dropped.
#[derive(Debug)]
pub struct Network {
    /// The namespace of the host at [`HERE`].
    pub here: String,
    /// The namespace of the host at [`THERE`].
    pub there: String,
}

/// The address of the first host.
pub const HERE: &str = "10.77.0.1";
/// The address of the second host.
pub const THERE: &str = "10.77.0.2";

impl Network {
    /// Makes the network; `None` for who may not: it takes root.
    pub fn new() -> Result<Option<Self>> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("belvedere-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let network = Self { here: format!("{name}-a"), there: format!("{name}-b") };
        let Self { here, there } = &network;
        ip(&["netns", "add", here])?;
        ip(&["netns", "add", there])?;
        ip(&["-n", here, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", there])?;
        for (namespace, address) in [(here, HERE), (there, THERE)] {
            ip(&["-n", namespace, "address", "add", &format!("{address}/24"), "dev", "eth0"])?;
            ip(&["-n", namespace, "link", "set", "lo", "up"])?;
            ip(&["-n", namespace, "link", "set", "eth0", "up"])?;
            ip(&["-n", namespace, "route", "add", "default", "dev", "eth0"])?;
        }
        Ok(Some(network))
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for namespace in [&self.here, &self.there] {
            // What is left of a network that was made by half.
            let _ = ip(&["netns", "delete", namespace]);
        }
    }
}

/// A command that runs in a network namespace, as the process that it starts as.
pub fn inside(namespace: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).arg(program);
    command
}

fn ip(arguments: &[&str]) -> Result<()> {
    let output = Command::new("ip").args(arguments).output().context("ip, of the package iproute2")?;
    ensure!(output.status.success(), "ip {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
    Ok(())
}
