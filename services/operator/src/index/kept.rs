use super::Kind;
use kube::ResourceExt as _;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

#[derive(Debug)]
struct Held<T> {
    object: Arc<T>,
    /// Of what a reconcile depends on: other changes are no news.
    fingerprint: u64,
}

/// The objects of one kind in one namespace.
#[derive(Debug)]
pub struct Kept<T> {
    objects: HashMap<String, Held<T>>,
    /// Names by function, for kinds of which a function has many.
    by_function: HashMap<String, HashSet<String>>,
    /// What a list has told so far.
    fresh: Option<Vec<T>>,
    synced: bool,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self { objects: HashMap::new(), by_function: HashMap::new(), fresh: None, synced: false }
    }
}

impl<T: Kind> Kept<T> {
    pub(crate) fn is_synced(&self) -> bool {
        self.synced
    }

    pub(crate) fn len(&self) -> usize {
        self.objects.len()
    }

    pub(crate) fn get(&self, name: &str) -> Option<Arc<T>> {
        self.objects.get(name).map(|held| Arc::clone(&held.object))
    }

    pub(crate) fn of(&self, function: &str) -> Vec<Arc<T>> {
        let names = self.by_function.get(function).into_iter().flatten();
        names.filter_map(|name| self.get(name)).collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Arc<T>)> {
        self.objects.iter().map(|(name, held)| (name.as_str(), &held.object))
    }

    pub(crate) fn begin(&mut self) {
        self.fresh = Some(Vec::new());
    }

    pub(crate) fn add(&mut self, object: T) {
        self.fresh.get_or_insert_default().push(object);
    }

    /// A list is whole: what it does not name is gone. The objects that changed, those that are gone among them.
    pub(crate) fn finish(&mut self) -> Vec<Arc<T>> {
        let fresh = self.fresh.take().unwrap_or_default();
        let named: HashSet<String> = fresh.iter().map(T::name_any).collect();
        let gone: Vec<String> = self.objects.keys().filter(|name| !named.contains(*name)).cloned().collect();
        let mut changed: Vec<_> = gone.iter().filter_map(|name| self.remove(name)).collect();
        changed.extend(fresh.into_iter().filter_map(|object| self.apply(object)));
        self.synced = true;
        changed
    }

    /// The object, if it is news.
    pub(crate) fn apply(&mut self, mut object: T) -> Option<Arc<T>> {
        let fingerprint = object.fingerprint();
        object.slim();
        let name = object.name_any();
        if let Some(held) = self.objects.get(&name) {
            if is_older(&object, &*held.object) {
                return None;
            }
            if held.fingerprint == fingerprint && held.object.uid() == object.uid() {
                let object = Arc::new(object);
                self.objects.insert(name, Held { object, fingerprint });
                return None;
            }
        }
        let object = Arc::new(object);
        if let Some(function) = object.function() {
            self.by_function.entry(function).or_default().insert(name.clone());
        }
        self.objects.insert(name, Held { object: Arc::clone(&object), fingerprint });
        Some(object)
    }

    /// The object, if it was there.
    pub(crate) fn delete(&mut self, object: &T) -> Option<Arc<T>> {
        let name = object.name_any();
        let held = self.objects.get(&name)?;
        // A delete of an earlier object of this name, told late.
        if held.object.uid() != object.uid() && is_older(object, &*held.object) {
            return None;
        }
        self.remove(&name)
    }

    fn remove(&mut self, name: &str) -> Option<Arc<T>> {
        let held = self.objects.remove(name)?;
        if let Some(function) = held.object.function()
            && let Some(names) = self.by_function.get_mut(&function)
        {
            names.remove(name);
            if names.is_empty() {
                self.by_function.remove(&function);
            }
        }
        Some(held.object)
    }
}

/// By resourceVersion, which counts up over all objects of a server. What cannot be compared is taken for newer.
fn is_older<T: Kind>(object: &T, than: &T) -> bool {
    let number = |object: &T| object.resource_version().and_then(|version| version.parse::<u64>().ok());
    match (number(object), number(than)) {
        (Some(new), Some(held)) => new < held,
        _ => false,
    }
}
