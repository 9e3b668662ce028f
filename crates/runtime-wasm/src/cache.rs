//! Compiled code on disk, so that a restart need not compile again.
//!
//! Loading compiled code means running it as native code: only what this installation wrote itself may be loaded.
//! The folder belongs to us alone (0700), and each entry carries a MAC under a random key that never leaves the
//! folder (0600), over the entry's name and content. What does not match is ignored and compiled anew.

mod load;

use crate::config::WasmConfig;
use eventflow_domain::ArtifactDigest;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::RngExt as _;
use sha2::{Digest as _, Sha256};
use std::fs::{self, DirBuilder, File, OpenOptions, Permissions};
use std::hash::{Hash as _, Hasher};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use wasmtime::component::Component;
use wasmtime::{Engine, Module};

const KEY_FILE: &str = "mac.key";
/// As HMAC-SHA-256 takes it, unhashed.
const KEY_BYTES: usize = 64;
/// Raised when the layout of an entry changes.
const FORMAT: &[u8] = b"eventflow-wasm-1";

/// Code ready to be linked.
#[derive(Debug)]
pub(crate) enum Compiled {
    Module(Module),
    Component(Component),
}

#[derive(Debug)]
pub(crate) struct Cache {
    dir: PathBuf,
    key: [u8; KEY_BYTES],
    max_bytes: u64,
    /// What else decides whether compiled code fits: wasmtime's version, its settings, the processor.
    engine: [u8; 32],
}

impl Cache {
    /// Makes the folder and its key where they do not exist yet. Refuses a folder of another user.
    pub(crate) fn open(config: &WasmConfig, engine: &Engine) -> io::Result<Self> {
        let dir = config.cache_dir.clone();
        DirBuilder::new().recursive(true).mode(0o700).create(&dir)?;
        let found = fs::symlink_metadata(&dir)?;
        if !found.is_dir() || found.uid() != rustix::process::geteuid().as_raw() {
            return Err(io::Error::other(format!("{} is not a folder of this user", dir.display())));
        }
        fs::set_permissions(&dir, Permissions::from_mode(0o700))?;
        let key = read_key(&dir).map_or_else(|| make_key(&dir), Ok)?;
        let mut hasher = EngineHasher(Sha256::new());
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Ok(Self { dir, key, max_bytes: config.cache_bytes, engine: hasher.0.finalize().into() })
    }

    /// The compiled code of an artifact; `None` where there is none that is ours, whole and fitting.
    pub(crate) fn load(&self, engine: &Engine, artifact: ArtifactDigest) -> Option<Compiled> {
        let name = self.name(artifact);
        let path = self.dir.join(&name);
        let mac = fs::read(path.with_extension("mac")).ok()?;
        let mut mapped = File::open(&path).ok()?;
        if self.mac_of_file(&name, &mut mapped).ok()?.verify_slice(&mac).is_err() {
            tracing::warn!(
                entry = name,
                "compiled code in the cache is not as it was written: compiling it again"
            );
            forget(&path);
            return None;
        }
        match load::file(engine, &path) {
            Ok(compiled) => Some(compiled),
            Err(error) => {
                tracing::warn!(
                    entry = name,
                    error = format!("{error:#}"),
                    "failed to load compiled code from the cache"
                );
                forget(&path);
                None
            }
        }
    }

    /// Keeps what was compiled and loads it from there; where it cannot be kept, it is loaded from memory.
    pub(crate) fn store_and_load(
        &self,
        engine: &Engine,
        artifact: ArtifactDigest,
        code: &[u8],
    ) -> wasmtime::Result<Compiled> {
        match self.store(artifact, code) {
            Ok(path) => load::file(engine, &path),
            Err(error) => {
                tracing::warn!(%error, "failed to keep compiled code in the cache");
                load::bytes(engine, code)
            }
        }
    }

    fn store(&self, artifact: ArtifactDigest, code: &[u8]) -> io::Result<PathBuf> {
        let name = self.name(artifact);
        let path = self.dir.join(&name);
        let mac = self.mac(&name).chain_update(code).finalize().into_bytes();
        // The MAC first: an entry without one is no entry, and no crash leaves one that does not match for long.
        write_whole(&path.with_extension("mac"), &mac)?;
        write_whole(&path, code)?;
        self.prune(&path);
        Ok(path)
    }

    fn name(&self, artifact: ArtifactDigest) -> String {
        let hash = Sha256::new().chain_update(FORMAT).chain_update(self.engine).chain_update(artifact.hex());
        format!("{}.cwasm", hex::encode(hash.finalize()))
    }

    fn mac(&self, name: &str) -> Hmac<Sha256> {
        let mut mac = Hmac::<Sha256>::new(&self.key.into());
        mac.update(name.as_bytes());
        mac
    }

    fn mac_of_file(&self, name: &str, file: &mut File) -> io::Result<Hmac<Sha256>> {
        let mut mac = self.mac(name);
        let mut buffer = vec![0; 256 << 10];
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                return Ok(mac);
            }
            mac.update(buffer.get(..read).unwrap_or_default());
        }
    }

    /// Removes the oldest entries until the rest fits, but not the one just written. Code in use stays mapped.
    fn prune(&self, keep: &Path) {
        let Ok(entries) = fs::read_dir(&self.dir) else { return };
        let mut files: Vec<_> = entries
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let path = entry.path();
                let metadata =
                    entry.metadata().ok().filter(|_| path.extension().is_some_and(|e| e == "cwasm"))?;
                Some((metadata.modified().ok()?, metadata.len(), path))
            })
            .collect();
        let mut total: u64 = files.iter().map(|(_, size, _)| size).sum();
        files.sort();
        for (_, size, path) in files {
            if total <= self.max_bytes {
                return;
            }
            if path != keep {
                forget(&path);
                total -= size;
            }
        }
    }
}

/// An entry that is gone already is fine, and one that cannot be removed is overwritten later.
fn forget(path: &Path) {
    drop(fs::remove_file(path.with_extension("mac")));
    drop(fs::remove_file(path));
}

fn read_key(dir: &Path) -> Option<[u8; KEY_BYTES]> {
    fs::read(dir.join(KEY_FILE)).ok()?.try_into().ok()
}

fn make_key(dir: &Path) -> io::Result<[u8; KEY_BYTES]> {
    let key: [u8; KEY_BYTES] = rand::rng().random();
    write_whole(&dir.join(KEY_FILE), &key)?;
    Ok(key)
}

/// Under another name first: what is read under its own name is whole.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension(format!("{:016x}.part", rand::rng().random::<u64>()));
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&unfinished)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_data()))
        .and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        drop(fs::remove_file(&unfinished));
    }
    written
}

/// All that is hashed goes into the digest, whole.
struct EngineHasher(Sha256);

impl Hasher for EngineHasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}
