use super::*;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Config {
    server: Server,
    limits: Limits,
    users: Vec<User>,
    labels: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Server {
    listen: String,
    port: u16,
    hosts: Vec<String>,
    origin: Option<String>,
    tls: bool,
    format: Format,
}

impl Default for Server {
    fn default() -> Self {
        let (hosts, origin) = (Vec::new(), None);
        Self { listen: "127.0.0.1".into(), port: 8080, hosts, origin, tls: false, format: Format::Json }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    Json,
    Pretty,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Limits {
    #[serde(with = "duration")]
    grace: Duration,
    #[serde(with = "bytes")]
    payload: u64,
    ratio: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { grace: Duration::from_secs(30), payload: 64 << 20, ratio: 0.5 }
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
    #[serde(default)]
    password: Secret<String>,
}

impl Validate for Config {
    fn validate(&self, problems: &mut Problems) {
        if self.limits.payload > 1 << 30 {
            problems.push("limits.payload", "must be at most 1Gi");
        }
        if self.server.port == 8080 && self.server.tls {
            problems.push("server.port", "must not be 8080 with tls");
        }
    }
}

fn load(loader: &Loader, source: &MapSource) -> Result<Config, Vec<String>> {
    let loaded = loader.load::<Config>(source);
    loaded
        .map(|loaded| loaded.config)
        .map_err(|errors| errors.to_string().lines().map(str::to_owned).collect())
}

fn from_file(text: &str) -> Result<Config, Vec<String>> {
    load(&Loader::new().file("ef.toml"), &MapSource::default().with_file("ef.toml", text))
}

#[test]
fn each_layer_covers_the_one_before() {
    let source = MapSource::default()
        .with_file(
            "ef.toml",
            "[server]\nlisten = \"0.0.0.0\"\nport = 1\nhosts = [\"a\"]\n[labels]\nteam = \"x\"",
        )
        .with_var("EVENTFLOW_SERVER__PORT", "2")
        .with_var("EVENTFLOW_SERVER__HOSTS", "b, c")
        .with_var("EVENTFLOW_SERVER__TLS", "true")
        .with_var("EVENTFLOW_LIMITS__GRACE", "1m30s")
        .with_var("EVENTFLOW_URL", "http://not.a.key")
        .with_var("HOME", "/root");
    let loader = Loader::new().file("ef.toml").flag("--port", "server.port", "3");
    let config = load(&loader, &source).expect("loads");
    let server = Server {
        listen: "0.0.0.0".into(),
        port: 3,
        hosts: vec!["b".into(), "c".into()],
        tls: true,
        ..Server::default()
    };
    let limits = Limits { grace: Duration::from_secs(90), ..Limits::default() };
    let labels = BTreeMap::from([("team".to_owned(), "x".to_owned())]);
    assert_eq!(config, Config { server, limits, users: Vec::new(), labels });
    let loaded = loader.load::<Config>(&source).expect("loads");
    assert_eq!(loaded.problem("server.port", "is taken").to_string(), "--port: server.port: is taken");
    assert_eq!(loaded.origin("server.listen").to_string(), "ef.toml:2");
    assert_eq!(loaded.origin("limits.ratio"), Origin::Default);
}

#[test]
fn every_problem_of_every_layer_is_told_at_once_with_its_place() {
    let text = "\
[server]
prot = 1
port = 70000
format = \"jsno\"
[limits]
grace = \"5x\"
payload = \"2Gi\"
[sevrer]
a = 1
[[users]]
password = \"p\"
[[users]]
name = 3
[labels]
n = 1
";
    let source = MapSource::default()
        .with_file("ef.toml", text)
        .with_var("EVENTFLOW_SERVER__TLS", "yes")
        .with_var("EVENTFLOW_SERVER__LISTNE", "x")
        .with_var("EVENTFLOW_LIMITS____X", "x");
    let loader = Loader::new().file("ef.toml").flag("--ratio", "limits.ratio", "half");
    assert_eq!(
        load(&loader, &source).expect_err("problems"),
        [
            "ef.toml:2: server.prot: unknown key \"prot\", did you mean \"port\"?",
            "ef.toml:3: server.port: must be a whole number from 0 to 65535, is 70000",
            "ef.toml:4: server.format: must be one of json, pretty, is \"jsno\", did you mean \"json\"?",
            "ef.toml:6: limits.grace: must be a duration such as \"30s\", \"5m\" or \"1h30m\" (units ms, s, m, h, d), is \"5x\"",
            "ef.toml:7: limits.payload: must be at most 1Gi",
            "ef.toml:8: sevrer: unknown key \"sevrer\", did you mean \"server\"?",
            "ef.toml:10: users[0]: key \"name\" is missing",
            "ef.toml:13: users[0].name: must be text, is 3",
            "ef.toml:15: labels.n: must be text, is 1",
            "EVENTFLOW_LIMITS____X: limits..x: must be called EVENTFLOW_<SECTION>__<KEY>",
            "EVENTFLOW_SERVER__LISTNE: server.listne: unknown key \"listne\", did you mean \"listen\"?",
            "EVENTFLOW_SERVER__TLS: server.tls: must be true or false, is \"yes\"",
            "--ratio: limits.ratio: must be a number, is \"half\"",
        ]
    );
}

#[test]
fn broken_toml_is_told_by_its_line_and_the_rest_still_checked() {
    let problems = from_file("[server]\nport = = 3\nlistne = \"x\"\n").expect_err("problems");
    assert!(problems.iter().any(|line| line.starts_with("ef.toml:2: ")), "{problems:?}");
    assert!(problems.iter().any(|line| line.starts_with("ef.toml:3: server.listne")), "{problems:?}");
}

#[test]
fn a_file_that_was_asked_for_must_exist() {
    let problems = load(&Loader::new().file("gone.toml"), &MapSource::default()).expect_err("problems");
    assert!(problems[0].starts_with("gone.toml: failed to read the file"), "{problems:?}");
    assert!(load(&Loader::new().file_if_exists("gone.toml"), &MapSource::default()).is_ok());
}

#[test]
fn a_table_where_a_value_belongs_and_the_other_way_round_are_refused() {
    let problems = from_file("server = 3\n[limits.grace]\na = 1\n").expect_err("problems");
    assert_eq!(
        problems,
        ["ef.toml:1: server: must be a table, is 3", "ef.toml:2: limits.grace: must be text, is a table"]
    );
}

#[test]
fn an_empty_variable_unsets_an_optional_key() {
    let source = MapSource::default()
        .with_file("ef.toml", "[server]\norigin = \"x\"")
        .with_var("EVENTFLOW_SERVER__ORIGIN", "");
    assert_eq!(load(&Loader::new().file("ef.toml"), &source).expect("loads").server.origin, None);
}

#[test]
fn a_dump_loads_again_and_shows_no_secret() {
    let mut config = Config::default();
    config.users.push(User { name: "ann".into(), password: Secret::new("hunter2".into()) });
    config.limits.grace = Duration::from_millis(90_500);
    let text = dump(&config).expect("dumps");
    assert!(!text.contains("hunter2") && !format!("{config:?}").contains("hunter2"), "{text}");
    assert!(text.contains("grace = \"1m30s500ms\"") && text.contains("payload = \"64Mi\""), "{text}");
    let again = from_file(&text).expect("loads");
    assert_eq!((again.server, again.limits), (config.server, config.limits));
    assert_eq!(again.users[0].password.expose(), "<secret>");
}

#[test]
fn a_bad_secret_is_not_quoted() {
    let problems = from_file("[[users]]\nname = \"a\"\npassword = 424242\n").expect_err("problems");
    assert_eq!(problems, ["ef.toml:3: users[0].password: is no valid secret"]);
}
