//! What code offers, found by its exports, and linked once for all its calls.

use crate::cache::Compiled;
use crate::host::{CommandState, ComponentState, LeanState};
use crate::refusal::Refusal;
use eventflow_domain::Mode;
use std::fmt;
use wasmtime::component::{self, Component};
use wasmtime::{Engine, ExternType, InstancePre, Linker, Module, ModuleExport, ValType};
use wasmtime_wasi::p2::bindings::CommandPre;
use wasmtime_wasi_http::p2::bindings::ProxyPre;

const HTTP: &str = "wasi:http/incoming-handler@0.2";
const RUN: &str = "wasi:cli/run@0.2";

/// Linked code. What it can do decides in which modes it may be declared.
pub(crate) struct Code {
    pub job: Option<Job>,
    pub http: Option<ProxyPre<ComponentState>>,
    /// What was found, for messages.
    found: &'static str,
}

pub(crate) enum Job {
    Lean(Lean),
    Command(InstancePre<CommandState>),
    Cli(CommandPre<ComponentState>),
}

/// The lean ABI's exports, found once.
pub(crate) struct Lean {
    pub pre: InstancePre<LeanState>,
    pub memory: ModuleExport,
    pub alloc: ModuleExport,
    pub handle: ModuleExport,
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Code").field(&self.found).finish()
    }
}

impl Code {
    /// Refused where the code does not do what the mode asks for.
    pub(crate) fn fits(&self, mode: Mode) -> Result<(), Refusal> {
        let (found, fits, remedy) = match mode {
            Mode::Job => (self.found, self.job.is_some(), "set `mode: http`"),
            Mode::Http => {
                let remedy = "set `mode: job`, or build a component that exports wasi:http/incoming-handler";
                (self.found, self.http.is_some(), remedy)
            }
        };
        if fits {
            return Ok(());
        }
        let mode = if mode == Mode::Job { "job" } else { "http" };
        Err(Refusal::of("mode", "ModeMismatch", format!("{found} does not run in {mode} mode: {remedy}")))
    }
}

/// What guests may import, one set for each kind.
pub(crate) struct Linkers {
    lean: Linker<LeanState>,
    command: Linker<CommandState>,
    component: component::Linker<ComponentState>,
}

impl fmt::Debug for Linkers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Linkers")
    }
}

impl Linkers {
    pub(crate) fn new(engine: &Engine) -> wasmtime::Result<Self> {
        let mut lean = Linker::new(engine);
        LeanState::link(&mut lean)?;
        let mut command = Linker::new(engine);
        wasmtime_wasi::p1::add_to_linker_async(&mut command, |state: &mut CommandState| &mut state.wasi)?;
        let mut component = component::Linker::new(engine);
        wasmtime_wasi::p2::add_to_linker_async(&mut component)?;
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut component)?;
        Ok(Self { lean, command, component })
    }

    pub(crate) fn link(&self, compiled: &Compiled) -> Result<Code, Refusal> {
        match compiled {
            Compiled::Module(module) => self.link_module(module),
            Compiled::Component(component) => self.link_component(component),
        }
    }

    fn link_module(&self, module: &Module) -> Result<Code, Refusal> {
        if module.get_export("_start").is_some() {
            let pre = self.command.instantiate_pre(module).map_err(|error| import_missing(&error))?;
            return Ok(Code { job: Some(Job::Command(pre)), http: None, found: "a WASI command module" });
        }
        if module.get_export("ef_handle").is_none() {
            let exports: Vec<&str> = module.exports().map(|export| export.name()).take(10).collect();
            let message = format!(
                "the module exports neither `_start` (a WASI command) nor `ef_handle` (the lean ABI), but {exports:?}"
            );
            return Err(Refusal::code("NothingToRun", message));
        }
        let pre = self.lean.instantiate_pre(module).map_err(|error| import_missing(&error))?;
        let lean = Lean {
            memory: lean_export(module, "memory", |ty| ty.memory().is_some_and(|memory| !memory.is_64()))?,
            alloc: lean_export(module, "ef_alloc", |ty| is_func(ty, &[ValType::I32], &ValType::I32))?,
            handle: lean_export(module, "ef_handle", |ty| {
                is_func(ty, &[ValType::I32, ValType::I32], &ValType::I64)
            })?,
            pre,
        };
        Ok(Code { job: Some(Job::Lean(lean)), http: None, found: "a module of the lean ABI" })
    }

    fn link_component(&self, component: &Component) -> Result<Code, Refusal> {
        let engine = self.component.engine();
        let ty = component.component_type();
        let names: Vec<&str> = ty.exports(engine).map(|(name, _)| name).collect();
        let (http, run) = (exports(&names, HTTP), exports(&names, RUN));
        let found = match (http, run) {
            (true, true) => "a component with wasi:http/incoming-handler and wasi:cli/run",
            (true, false) => "a wasi:http/incoming-handler component",
            (false, true) => "a wasi:cli/run component",
            (false, false) => {
                let message = format!("the component exports neither {HTTP} nor {RUN}, but {names:?}");
                return Err(Refusal::code("NothingToRun", message));
            }
        };
        let pre = self.component.instantiate_pre(component).map_err(|error| import_missing(&error))?;
        let odd = |error: wasmtime::Error| Refusal::code("InvalidCode", format!("{error:#}"));
        Ok(Code {
            http: http.then(|| ProxyPre::new(pre.clone())).transpose().map_err(odd)?,
            job: run.then(|| CommandPre::new(pre)).transpose().map_err(odd)?.map(Job::Cli),
            found,
        })
    }
}

fn exports(names: &[&str], wanted: &str) -> bool {
    names
        .iter()
        .any(|name| name.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')))
}

fn import_missing(error: &wasmtime::Error) -> Refusal {
    Refusal::code("ImportMissing", format!("imports what is not offered: {error:#}"))
}

fn lean_export(
    module: &Module,
    name: &str,
    fits: impl Fn(&ExternType) -> bool,
) -> Result<ModuleExport, Refusal> {
    let found = module.get_export(name);
    let index = module.get_export_index(name).filter(|_| found.as_ref().is_some_and(fits));
    index.ok_or_else(|| {
        let message = match found {
            None => format!("exports `ef_handle` but not `{name}`; the lean ABI is in docs/wasm-abi.md"),
            Some(_) => format!("the export `{name}` is not of the lean ABI's type; see docs/wasm-abi.md"),
        };
        Refusal::code("LeanAbi", message)
    })
}

fn is_func(ty: &ExternType, params: &[ValType], result: &ValType) -> bool {
    let Some(func) = ty.func() else { return false };
    let same = |a: &ValType, b: &ValType| a.matches(b);
    func.params().len() == params.len()
        && func.params().zip(params).all(|(a, b)| same(&a, b))
        && func.results().len() == 1
        && func.results().all(|a| same(&a, result))
}
