//! Functions that tests declare.

use serde_json::{Value, json};

/// A job that runs a shell script.
pub fn shell(name: &str, script: &str) -> Value {
    json!({"name": name, "runtime": "process", "command": ["/bin/sh", "-c", script]})
}

/// The same with more fields.
pub fn shell_with(name: &str, script: &str, more: Value) -> Value {
    let mut function = shell(name, script);
    let Value::Object(more) = more else { panic!("fields as an object, not {more}") };
    function.as_object_mut().unwrap().extend(more);
    function
}

/// Gives its payload back.
pub fn echo(name: &str) -> Value {
    shell(name, "exec cat")
}

/// A warm process: the Python server of this folder.
pub fn server(name: &str, more: Value) -> Value {
    let script = crate::root().join("e2e/tests/system/server.py");
    let mut function = json!({
        "name": name, "runtime": "process", "mode": "http", "port": 8080, "command": ["python3", script],
    });
    let Value::Object(more) = more else { panic!("fields as an object, not {more}") };
    function.as_object_mut().unwrap().extend(more);
    function
}

/// The lean ABI: gives its payload back.
pub const ECHO_WAT: &str = r#"(module
  (memory (export "memory") 1)
  (func (export "ef_alloc") (param i32) (result i32) (i32.const 1024))
  (func (export "ef_handle") (param $ptr i32) (param $len i32) (result i64)
    (i64.or (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32)) (i64.extend_i32_u (local.get $len)))))"#;
