//! What is in the images, by their lists: the Dockerfile's, and those that are packed without a container engine.

use eventflow_e2e::root;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

/// The lines of a list, without comments.
fn lines(image: &str) -> Vec<String> {
    let path = root().join(format!("deploy/docker/images/{image}.list"));
    let text = fs::read_to_string(path).expect("a list");
    text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

fn config(image: &str) -> Value {
    let lines = lines(image);
    let line = lines.iter().find_map(|line| line.strip_prefix("config - - - ")).expect("a config");
    serde_json::from_str(line).expect("JSON")
}

fn images() -> BTreeSet<String> {
    let folder = fs::read_dir(root().join("deploy/docker/images")).expect("lists");
    let names = folder.map(|entry| entry.expect("a file").file_name().into_string().expect("a name"));
    names.filter_map(|name| name.strip_suffix(".list").map(str::to_owned)).collect()
}

/// The last stages of the Dockerfile: name to instructions.
fn last_stages() -> BTreeMap<String, Vec<String>> {
    let text = fs::read_to_string(root().join("deploy/docker/Dockerfile")).expect("the Dockerfile");
    let mut stages: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut now = None;
    for line in text.lines() {
        if let Some(from) = line.strip_prefix("FROM ") {
            now = from.strip_prefix("scratch AS ").map(str::to_owned);
        } else if let Some(stage) = &now
            && !line.is_empty()
        {
            stages.entry(stage.clone()).or_default().push(line.to_owned());
        }
    }
    stages
}

#[test]
fn the_dockerfiles_last_stages_are_the_lists_and_nothing_else() {
    let stages = last_stages();
    let named: BTreeSet<_> = stages.keys().map(|stage| format!("eventflow-{stage}")).collect();
    assert_eq!(named, images());
    for (stage, instructions) in stages {
        let image = format!("eventflow-{stage}");
        let mut found = json!({});
        for instruction in instructions {
            let (word, rest) = instruction.split_once(' ').expect("an instruction");
            match word {
                "COPY" => assert_eq!(rest.split_once(' ').expect("from").1, format!("/rootfs/{image} /")),
                "USER" => found["User"] = rest.into(),
                "ENTRYPOINT" => found["Entrypoint"] = serde_json::from_str(rest).expect("JSON"),
                "EXPOSE" => {
                    found["ExposedPorts"] =
                        rest.split(' ').map(|port| (format!("{port}/tcp"), json!({}))).collect();
                }
                other => panic!("{image}: {other} is in no list"),
            }
        }
        assert_eq!(found, config(&image), "{image}");
    }
    let text = fs::read_to_string(root().join("deploy/docker/Dockerfile")).expect("the Dockerfile");
    for image in images() {
        assert!(text.matches(&image).count() >= 2, "{image} is laid out by rootfs.sh");
    }
}

#[test]
fn no_image_runs_as_root() {
    for image in images() {
        assert_eq!(config(&image)["User"], "65532:65532", "{image}");
    }
}

fn tar(args: &[&str], file: &Path) -> String {
    let output = Command::new("tar").args(args).arg("-f").arg(file).output().expect("tar runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_packed_image_holds_its_list_and_the_libraries_that_its_program_names() {
    let folder = tempfile::tempdir().expect("a folder");
    let binaries = folder.path().join("bin");
    fs::create_dir(&binaries).expect("a folder");
    // Any linked program stands for ours.
    fs::copy("/bin/ls", binaries.join("eventflow-api")).expect("a program");
    let packed = Command::new(root().join("deploy/docker/images.sh"))
        .args([&binaries, Path::new("/none"), folder.path()])
        .args(["test", "eventflow-api"])
        .output()
        .expect("images.sh runs");
    assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
    let image = folder.path().join("eventflow-api.tar");
    tar(&["-x", "-C", &folder.path().display().to_string()], &image);
    let read = |name: &str| -> Value {
        serde_json::from_str(&fs::read_to_string(folder.path().join(name)).expect("a file")).expect("JSON")
    };
    assert_eq!(read("manifest.json")[0]["RepoTags"], json!(["eventflow-api:test"]));
    for (key, value) in config("eventflow-api").as_object().expect("an object") {
        assert_eq!(&read("config.json")["config"][key], value, "{key}");
    }
    let listed = tar(&["-t"], &folder.path().join("layer.tar"));
    let held: BTreeSet<&str> =
        listed.lines().map(|path| path.trim_start_matches('.').trim_end_matches('/')).collect();
    let libraries = Command::new("ldd").arg("/bin/ls").output().expect("ldd runs");
    let libraries = String::from_utf8_lossy(&libraries.stdout).into_owned();
    let libraries = libraries.split_whitespace().filter(|word| word.starts_with('/'));
    let lines = lines("eventflow-api");
    let wanted = lines.iter().filter_map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
        ["program" | "file" | "tree" | "folder", _, _, path, _] => Some(path),
        _ => None,
    });
    let mut expected: BTreeSet<&str> = wanted.chain(libraries).chain(["/etc/passwd", "/etc/group"]).collect();
    for path in expected.clone() {
        assert!(held.contains(path), "{path} is missing");
        expected.extend(Path::new(path).ancestors().filter_map(Path::to_str));
    }
    let more: Vec<_> = held.iter().filter(|path| !path.is_empty() && !expected.contains(**path)).collect();
    assert!(more.is_empty(), "in no list: {more:?}");
}
