use super::*;
use crate::engine::Limits;
use crate::find::Sockets;
use crate::installation::Installation;
use eventflow_domain::quantity::{Cpu, Memory};
use eventflow_domain::spec::{FunctionSpec, RuntimeKind};
use eventflow_testkit::FunctionBuilder;
use eventflow_testkit::contract::runtime::call;
use pretty_assertions::assert_eq;
use std::sync::Arc;

const ALL: Limits = Limits { memory: true, swap: true, cpu: true, pids: true };

fn config() -> ContainerConfig {
    let installation = Installation { id: "mine".to_owned(), server: 3 };
    ContainerConfig::new(Sockets::parse("/nowhere.sock").expect("an address"), installation)
}

fn about(limits: Limits) -> About {
    About { name: "an engine".to_owned(), limits, cpus: 2 }
}

fn version(change: impl FnOnce(&mut FunctionSpec)) -> Arc<FunctionVersion> {
    FunctionBuilder::new("resize")
        .command(["/bin/resize"])
        .with(|spec| {
            spec.runtime = RuntimeKind::Container;
            spec.image = Some(Image::Oci("registry.example/resize:1".to_owned()));
            change(spec);
        })
        .version()
}

fn job_of(
    version: &Arc<FunctionVersion>,
    limits: Limits,
    user: &str,
) -> Result<ContainerCreateBody, Failure> {
    let (config, about) = (config(), about(limits));
    job(Ground { config: &config, about: &about, image_user: user }, &call(version, ""))
}

#[test]
fn a_job_is_labelled_limited_and_confined() {
    let body = job_of(&version(|_| {}), ALL, "").expect("a body");
    assert_eq!(body.entrypoint, Some(vec!["/bin/resize".to_owned()]));
    let labels = body.labels.expect("labels");
    let label = |name: &str| labels.get(name).map(String::as_str);
    assert_eq!((label(INSTALLATION), label(SERVER), label(ROLE)), (Some("mine"), Some("3"), Some("job")));
    assert_eq!((label(FUNCTION), label(ATTEMPT)), (Some("default/resize"), Some("1")));
    let host = body.host_config.expect("a host");
    assert_eq!((host.memory, host.memory_swap), (Some(128 << 20), Some(128 << 20)));
    assert_eq!((host.nano_cpus, host.pids_limit), (Some(100_000_000), Some(512)));
    assert_eq!(host.cap_drop, Some(vec!["NET_RAW".to_owned()]));
    assert_eq!(host.security_opt, Some(vec!["no-new-privileges".to_owned()]));
    assert_eq!((host.privileged, host.network_mode), (Some(false), None));
    assert_eq!(host.mounts.map(|mounts| mounts.len()), Some(1));
}

#[test]
fn restricted_has_no_capability_no_writable_root_and_no_root_user() {
    let restricted = version(|spec| spec.pod.security = Some(PodSecurity::Restricted));
    let host = job_of(&restricted, ALL, "1000:1000").expect("a body").host_config.expect("a host");
    assert_eq!((host.readonly_rootfs, host.cap_drop), (Some(true), Some(vec!["ALL".to_owned()])));
    assert!(host.tmpfs.expect("a tmpfs").contains_key("/tmp"));
    for user in ["", "root", "0", "0:0", "root:wheel", "00"] {
        let refused = job_of(&restricted, ALL, user).expect_err("is refused");
        assert!(refused.message.starts_with("ImageNeedsRoot"), "{user}: {}", refused.message);
    }
}

#[test]
fn what_the_engine_cannot_limit_is_not_asked_of_it() {
    let nothing = Limits { memory: false, swap: false, cpu: false, pids: false };
    let host = job_of(&version(|_| {}), nothing, "").expect("a body").host_config.expect("a host");
    assert_eq!((host.memory, host.memory_swap, host.nano_cpus, host.pids_limit), (None, None, None, None));
    let no_swap = Limits { swap: false, ..ALL };
    let host = job_of(&version(|_| {}), no_swap, "").expect("a body").host_config.expect("a host");
    assert_eq!((host.memory, host.memory_swap), (Some(128 << 20), None));
}

#[test]
fn no_more_processors_are_asked_for_than_there_are() {
    let large = version(|spec| (spec.resources.cpu, spec.resources.memory) = (Cpu(64_000), Memory(1 << 30)));
    let host = job_of(&large, ALL, "").expect("a body").host_config.expect("a host");
    assert_eq!((host.nano_cpus, host.memory), (Some(2_000_000_000), Some(1 << 30)));
}

#[test]
fn a_copy_is_published_on_loopback_only() {
    let (config, about) = (config(), about(ALL));
    let ground = Ground { config: &config, about: &about, image_user: "" };
    let body = copy(ground, &version(|spec| spec.port = Some(8080)), &[]).expect("a body");
    assert!(body.env.expect("variables").contains(&"PORT=8080".to_owned()));
    let ports = body.host_config.and_then(|host| host.port_bindings).expect("ports");
    let bound = ports.get("8080/tcp").cloned().flatten().expect("a port");
    assert_eq!(
        bound,
        [PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(String::new()) }]
    );
}

#[test]
fn what_eventflow_says_comes_after_what_the_function_declares() {
    let (config, about) = (config(), about(ALL));
    let ground = Ground { config: &config, about: &about, image_user: "" };
    let env = [("EVENTFLOW_FUNCTION".to_owned(), "another".to_owned())];
    let body = copy(ground, &version(|_| {}), &env).expect("a body");
    let env = body.env.expect("variables");
    assert_eq!(
        env.iter().rfind(|pair| pair.starts_with("EVENTFLOW_FUNCTION=")),
        Some(&"EVENTFLOW_FUNCTION=resize".to_owned())
    );
}
