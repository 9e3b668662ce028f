//! What is done to the pods of ours and to the control plane.

use crate::node;
use crate::stack;
use eventflow_e2e::{root, wait};
use rustix::process::{Pid, Signal, kill_process};
use std::io::Write as _;
use std::process::{Command, Stdio};

/// Processes that stand still, until this is dropped.
#[derive(Debug)]
pub(crate) struct Paused(Vec<Pid>);

impl Paused {
    pub(crate) fn new(processes: Vec<Pid>) -> Self {
        signal(&processes, Signal::STOP);
        Self(processes)
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        signal(&self.0, Signal::CONT);
    }
}

/// One that has ended meanwhile is fine.
fn signal(processes: &[Pid], signal: Signal) {
    for process in processes {
        let _ = kill_process(*process, signal);
    }
}

pub(crate) fn kill(processes: &[Pid]) {
    signal(processes, Signal::KILL);
}

/// The processes of our pods that a selector finds, as this machine counts them. Their cgroup names the pod, so nobody
/// else's are found.
pub(crate) async fn of_pods(selector: &str) -> Vec<Pid> {
    let mut found = Vec::new();
    for pod in stack::ready_pods(selector).await {
        found.extend(of_pod(pod["metadata"]["uid"].as_str().expect("a uid")));
    }
    assert!(!found.is_empty(), "processes of {selector}");
    found
}

pub(crate) fn of_pod(uid: &str) -> Vec<Pid> {
    let cgroup = format!("pod{uid}");
    let processes = std::fs::read_dir("/proc").expect("the processes").filter_map(Result::ok);
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let ours = numbers.filter(|pid| {
        let read = |file: &str| std::fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap_or_default();
        // The sandbox of a pod has one too, which is no part of ours.
        read("cgroup").contains(&cgroup) && !read("comm").starts_with("pause")
    });
    ours.filter_map(Pid::from_raw).collect()
}

/// The process of a part of the control plane, which comes back by itself when it is killed.
pub(crate) fn of_part(part: &str) -> Vec<Pid> {
    let output =
        Command::new(root().join("e2e/cluster/cluster.sh")).args(["pid", part]).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let pid = text.trim().parse().ok().and_then(Pid::from_raw);
    vec![pid.unwrap_or_else(|| panic!("{part}: {}", String::from_utf8_lossy(&output.stderr)))]
}

/// Between the pods and the API server nothing arrives any more and nobody is told, until this is dropped. Then what was
/// open is reset.
#[derive(Debug)]
pub(crate) struct CutOff(());

impl CutOff {
    pub(crate) fn new() -> Self {
        rules("drop", "drop");
        Self(())
    }
}

impl Drop for CutOff {
    fn drop(&mut self) {
        nft("delete table inet faults\n");
    }
}

/// The API server is at an address of the bridge; what runs on the node itself comes by the loopback.
fn rules(from: &str, to: &str) {
    nft(&format!(
        "table inet faults {{ \
         chain from {{ type filter hook input priority 0; iifname \"ef0\" tcp dport 443 {from}; }}; \
         chain to {{ type filter hook output priority 0; oifname \"ef0\" tcp sport 443 {to}; }}; }}\n"
    ));
}

/// In the network of the cluster, which is its own.
fn nft(script: &str) {
    let mut child = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().expect("nft runs");
    child.stdin.take().expect("a pipe").write_all(script.as_bytes()).expect("it reads");
    assert!(child.wait().expect("it ends").success(), "nft: {script}");
}

/// Kills every pod of ours, and keeps them away: none of them has time to finish anything.
pub(crate) async fn take_down(components: &[(&str, &str)]) {
    let mut pods = Vec::new();
    for (_, selector) in components {
        pods.extend(node::objects(stack::NAMESPACE, "pods", selector).await);
    }
    let uids: Vec<_> = pods.iter().map(|pod| pod["metadata"]["uid"].as_str().expect("a uid")).collect();
    // Without a word first, or they would hand over what they do.
    let killing = || uids.iter().for_each(|uid| kill(&of_pod(uid)));
    killing();
    let targets: Vec<_> = components.iter().map(|(name, _)| format!("deployment/{name}")).collect();
    let targets: Vec<_> = targets.iter().map(String::as_str).collect();
    node::kubectl(&[&["scale", "-n", stack::NAMESPACE, "--replicas=0"], &targets[..]].concat()).await;
    for (_, selector) in components {
        killing();
        let args = ["delete", "pods", "-n", stack::NAMESPACE, "-l", selector, "--force", "--grace-period=0"];
        node::run(&args, "").await;
    }
    let left = async || {
        killing();
        uids.iter().map(|uid| of_pod(uid).len()).sum::<usize>()
    };
    wait::settles("no process of ours is left", node::POD, left, |count| *count == 0).await;
}

pub(crate) async fn bring_back(components: &[(&str, &str)]) {
    for (deployment, _) in components {
        let target = format!("deployment/{deployment}");
        node::kubectl(&["scale", &target, "-n", stack::NAMESPACE, "--replicas=2"]).await;
    }
    for (deployment, _) in components {
        stack::ready(deployment).await;
    }
}
