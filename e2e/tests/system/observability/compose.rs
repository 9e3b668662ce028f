//! `compose.yaml`, as far as it can be checked without a container engine: that it is YAML, that what it names is
//! there, and that the services take the configuration that it gives them. Images and containers are not tried.

use super::deployed::{file, yaml};
use eventflow_testkit::servers::program;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

fn object(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn strings(value: &Value) -> Vec<&str> {
    value.as_array().into_iter().flatten().map(|item| item.as_str().expect("text")).collect()
}

/// The names in `${NAME:?…}`: nothing else is used.
fn variables(text: &str) -> Vec<&str> {
    text.split("${")
        .skip(1)
        .map(|rest| rest.split_once(":?").expect("a variable that must be set").0)
        .collect()
}

#[test]
fn what_compose_names_is_there() {
    let compose = yaml("compose.yaml");
    let services = compose["services"].as_object().expect("services");
    let expected = "api dispatcher gateway grafana init nats otel-collector postgres prometheus web";
    assert_eq!(
        services.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        expected.split(' ').collect::<BTreeSet<_>>()
    );
    let volumes: BTreeSet<_> = object(&compose["volumes"]).map(|(name, _)| name.as_str()).collect();
    let mut used = BTreeSet::new();
    for (name, service) in services {
        assert!(service["image"].as_str().is_some_and(|image| image.contains(':')), "{name} pins its image");
        for (other, how) in object(&service["depends_on"]) {
            let other = services.get(other).unwrap_or_else(|| panic!("{name} depends on {other}"));
            let healthy = how["condition"] == "service_healthy";
            assert!(
                !healthy || other["healthcheck"].is_object(),
                "{name} waits for health that nobody checks"
            );
        }
        for volume in strings(&service["volumes"]) {
            let source = volume.split(':').next().unwrap_or_default();
            if source.starts_with('.') {
                assert!(file(source).exists() && volume.ends_with(":ro"), "{name}: {volume}");
            } else {
                assert!(volumes.contains(source), "{name}: {volume}");
                used.insert(source.to_owned());
            }
        }
        for port in strings(&service["ports"]) {
            assert!(port.starts_with("127.0.0.1:"), "{name} is open to everybody: {port}");
        }
    }
    assert_eq!(used.iter().map(String::as_str).collect::<BTreeSet<_>>(), volumes);
    assert_eq!(strings(&services["api"]["ports"]), ["127.0.0.1:8081:8080"]);
    assert_eq!(strings(&services["web"]["ports"]), ["127.0.0.1:3001:8080"]);
}

#[test]
fn the_images_are_built_from_targets_that_exist_and_run_as_nobody_special() {
    let compose = yaml("compose.yaml");
    let mut built = 0;
    for (name, service) in object(&compose["services"]) {
        let Some(build) = service["build"].as_object() else { continue };
        built += 1;
        let dockerfile = fs::read_to_string(file(build["dockerfile"].as_str().expect("a file"))).unwrap();
        let target = build["target"].as_str().expect("a target");
        let stage = dockerfile
            .split("\nFROM ")
            .find(|stage| stage.lines().next().unwrap_or_default().ends_with(&format!(" AS {target}")));
        let stage = stage.unwrap_or_else(|| panic!("{name}: no stage {target}"));
        assert!(stage.starts_with("scratch ") && stage.contains("\nUSER 65532:65532\n"), "{stage}");
        let program = if target == "web" {
            "/usr/sbin/nginx".to_owned()
        } else {
            format!("/usr/bin/eventflow-{target}")
        };
        assert!(stage.contains(&format!("ENTRYPOINT [\"{program}\"")), "{stage}");
        assert_eq!((&service["read_only"], &service["cap_drop"][0]), (&true.into(), &"ALL".into()), "{name}");
    }
    assert_eq!(built, 4);
}

#[test]
fn no_secret_is_committed_and_make_up_writes_all_that_are_asked_for() {
    let text = fs::read_to_string(file("compose.yaml")).unwrap();
    let asked: BTreeSet<_> = variables(&text).into_iter().collect();
    let script = fs::read_to_string(file("scripts/compose.sh")).unwrap();
    let line = script.lines().find_map(|line| line.trim().strip_prefix("for name in ")).expect("the names");
    let written: BTreeSet<_> = line.trim_end_matches("; do").split_ascii_whitespace().collect();
    assert_eq!(asked, written);
    assert!(fs::read_to_string(file(".gitignore")).unwrap().lines().any(|line| line == "/.env"));
    for line in text.lines().filter(|line| line.to_lowercase().contains("password")) {
        let harmless = line.contains("${") || line.trim_start().starts_with('#');
        assert!(harmless, "{line}");
    }
}

#[test]
fn the_services_take_the_configuration_that_compose_gives_them() {
    let compose = yaml("compose.yaml");
    for name in ["api", "dispatcher", "gateway"] {
        let environment: BTreeMap<_, _> = object(&compose["services"][name]["environment"])
            .map(|(key, value)| (key.clone(), filled_in(value.as_str().expect("text"))))
            .collect();
        let program = eventflow_e2e::binary().with_file_name(format!("eventflow-{name}"));
        let run = |environment: &BTreeMap<String, String>| {
            Command::new(&program).arg("--dump-config").env_clear().envs(environment).output().unwrap()
        };
        let dumped = run(&environment);
        assert!(dumped.status.success(), "{name}: {dumped:?}");
        let text = String::from_utf8_lossy(&dumped.stdout);
        let blobs = (name != "gateway").then_some("\"/var/lib/eventflow-blobs\"");
        let all = ["\"http://otel-collector:4317\"", "\"/keys/key\"", "\"0.0.0.0:9100\""];
        for expected in all.into_iter().chain(blobs) {
            assert!(text.contains(expected), "{name}: {expected} is not in\n{text}");
        }
        assert!(!text.contains("a-password"), "{text}");
        let mut misspelt = environment;
        misspelt.insert("EVENTFLOW_POSTGRES__URRL".to_owned(), "x".to_owned());
        assert!(!run(&misspelt).status.success(), "{name} takes what does not exist");
    }
}

fn filled_in(text: &str) -> String {
    let mut text = text.to_owned();
    while let Some((before, rest)) = text.split_once("${") {
        let after = rest.split_once('}').expect("a closing brace").1;
        text = format!("{before}a-password{after}");
    }
    text
}

#[test]
fn nats_takes_the_configuration_that_compose_gives_it() {
    let check = |password: Option<&str>| {
        let mut command = Command::new(program("nats-server", &[]));
        command.env_clear().envs(password.map(|password| ("NATS_PASSWORD", password)));
        command.arg("-t").arg("-c").arg(file("deploy/compose/nats.conf")).output().unwrap()
    };
    let checked = check(Some("3e4f"));
    assert!(checked.status.success(), "{checked:?}");
    assert!(!check(None).status.success(), "nobody gets in without a password");
}

#[test]
fn prometheus_asks_services_of_compose_and_grafana_asks_prometheus() {
    let compose = yaml("compose.yaml");
    let config = yaml("deploy/prometheus/prometheus.yaml");
    let mut jobs = BTreeSet::new();
    for job in config["scrape_configs"].as_array().expect("jobs") {
        let name = job["job_name"].as_str().expect("a name");
        // What dashboard and alerts select by.
        assert!(name.starts_with("eventflow-"), "{name}");
        for target in job["dns_sd_configs"].as_array().expect("targets") {
            assert_eq!((&target["port"], &target["type"]), (&9100.into(), &"A".into()));
            for service in strings(&target["names"]) {
                assert!(compose["services"][service].is_object(), "{name} asks {service}");
                jobs.insert(service.to_owned());
            }
        }
    }
    assert_eq!(jobs.into_iter().collect::<Vec<_>>(), ["api", "dispatcher", "gateway"]);
    let sources = yaml("deploy/grafana/provisioning/datasources/prometheus.yaml");
    assert_eq!(sources["datasources"][0]["url"], "http://prometheus:9090");
    assert!(yaml("deploy/grafana/provisioning/dashboards/eventflow.yaml")["providers"][0].is_object());
}
