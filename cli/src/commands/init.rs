use crate::args::{Init, Template};
use crate::exit::{Failure, Result};
use crate::output::say;
use eventflow_domain::FunctionName;
use std::path::{Path, PathBuf};

/// Writes a manifest, and the code it names, to start from.
pub(crate) fn init(args: &Init) -> Result<()> {
    let name: FunctionName =
        args.name.parse().map_err(|error| Failure::new(Failure::DATA, format!("the name {error}")))?;
    let manifest = PathBuf::from(format!("{name}.yaml"));
    let (code, text) = match args.template {
        Template::Process => (format!("{name}.sh"), PROCESS_CODE),
        // Never the name of a module that the code imports: a function may well be called `http`.
        Template::Http => (format!("{name}-server.py"), HTTP_CODE),
        Template::Wasm => (format!("{name}.wat"), WASM_CODE),
    };
    let yaml = match args.template {
        Template::Process => PROCESS,
        Template::Http => HTTP,
        Template::Wasm => WASM,
    };
    let code = PathBuf::from(code);
    for path in [&manifest, &code] {
        if path.exists() && !args.force {
            let text = format!("{} is there already: choose another name, or say --force", path.display());
            return Err(Failure::new(Failure::CANNOT_CREATE, text));
        }
    }
    write(&manifest, &yaml.replace("NAME", name.as_str()))?;
    write(&code, text)?;
    say(&format!(
        "wrote {} and {}\nnext: eventflow apply -f {} && eventflow invoke {name} --data hello",
        manifest.display(),
        code.display(),
        manifest.display()
    ));
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    std::fs::write(path, text).map_err(|error| {
        Failure::new(Failure::CANNOT_CREATE, format!("cannot write {}: {error}", path.display()))
    })
}

const PROCESS: &str = "\
apiVersion: eventflow.io/v1alpha1
kind: Function
metadata:
  name: NAME
spec:
  runtime: process
  # Reads its payload from stdin; what it prints is the result, what it writes to stderr is its log.
  command: [sh, ./NAME.sh]
  timeout: 30s
  retry: {maxAttempts: 3, backoff: {initial: 1s}}
";

const PROCESS_CODE: &str = "\
echo \"attempt $EVENTFLOW_ATTEMPT of $EVENTFLOW_INVOCATION_ID\" >&2
printf 'you said: '
cat
";

const HTTP: &str = "\
apiVersion: eventflow.io/v1alpha1
kind: Function
metadata:
  name: NAME
spec:
  runtime: process
  # A server on $PORT. It is kept warm; :invoke and /fn/default/NAME/ both reach it.
  mode: http
  port: 8080
  command: [python3, ./NAME-server.py]
  scaling: {min: 0, max: 2, concurrency: 10}
";

const HTTP_CODE: &str = "\
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Handler(BaseHTTPRequestHandler):
    protocol_version = \"HTTP/1.1\"

    def do_GET(self):
        self.answer(b\"hello\")

    def do_POST(self):
        self.answer(b\"you said: \" + self.rfile.read(int(self.headers.get(\"content-length\", 0))))

    def answer(self, body):
        self.send_response(200)
        self.send_header(\"content-type\", \"text/plain\")
        self.send_header(\"content-length\", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer((\"127.0.0.1\", int(os.environ[\"PORT\"])), Handler).serve_forever()
";

const WASM: &str = "\
apiVersion: eventflow.io/v1alpha1
kind: Function
metadata:
  name: NAME
spec:
  runtime: wasm
  # A local path: the CLI uploads it.
  image: ./NAME.wat
";

const WASM_CODE: &str = "\
;; The lean ABI (docs/wasm-abi.md): the payload is copied in, the result is copied out.
;; This one gives its payload back.
(module
  (memory (export \"memory\") 1)
  (global $free (mut i32) (i32.const 0))
  (func (export \"ef_alloc\") (param $len i32) (result i32)
    (local $at i32)
    (local $missing i32)
    (local.set $at (global.get $free))
    (global.set $free (i32.add (global.get $free) (local.get $len)))
    ;; Grow by what is missing, in pages of 64 KiB.
    (local.set $missing (i32.sub
      (i32.shr_u (i32.add (global.get $free) (i32.const 65535)) (i32.const 16))
      (memory.size)))
    (if (i32.gt_s (local.get $missing) (i32.const 0))
      (then (if (i32.eq (memory.grow (local.get $missing)) (i32.const -1)) (then unreachable))))
    (local.get $at))
  (func (export \"ef_handle\") (param $ptr i32) (param $len i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $ptr)) (i64.const 32))
      (i64.extend_i32_u (local.get $len)))))
";
