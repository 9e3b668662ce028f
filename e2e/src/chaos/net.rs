//! Harm to the network. Only in a network of one's own, where nobody else's packets can be hit.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// The variable by which the runner says that this process has a network and mounts of its own.
pub const OWN: &str = "EVENTFLOW_CHAOS_OWN_NET";

#[derive(Debug)]
pub struct Net(());

impl Net {
    /// `None` where this process shares its network with others, or nft cannot be used.
    pub fn own() -> Option<Self> {
        std::env::var_os(OWN)?;
        let net = Self(());
        net.nft("list ruleset\n").then_some(net)
    }

    /// Nothing comes to or from this port any more, and nobody is told.
    pub fn cut_off(&self, port: u16) {
        self.rules(&[port], "");
    }

    /// Of a hundred packets to or from these ports, so many do not arrive.
    pub fn lose(&self, ports: &[u16], percent: u32) {
        self.rules(ports, &format!("numgen random mod 100 < {percent} "));
    }

    pub fn heal(&self) {
        assert!(self.nft("delete table inet chaos\n"), "the network is whole again");
    }

    fn rules(&self, ports: &[u16], which: &str) {
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        let ports = ports.join(", ");
        let rules = format!(
            "table inet chaos {{ chain harm {{ type filter hook input priority 0; \
             tcp dport {{ {ports} }} {which}drop; tcp sport {{ {ports} }} {which}drop; }}; }}\n"
        );
        assert!(self.nft(&rules), "the network is harmed");
    }

    #[expect(clippy::unused_self, reason = "only who has a network of its own may change its rules")]
    fn nft(&self, script: &str) -> bool {
        let nft = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).spawn();
        let Ok(mut nft) = nft else { return false };
        let written = nft.stdin.take().is_some_and(|mut stdin| stdin.write_all(script.as_bytes()).is_ok());
        nft.wait().is_ok_and(|status| status.success()) && written
    }
}
