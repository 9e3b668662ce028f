use prost_reflect::DescriptorPool;
use std::collections::HashMap;

/// The comments of the contract, by file and path within it.
#[derive(Debug, Default)]
pub(super) struct Texts(HashMap<(String, Vec<i32>), String>);

impl Texts {
    pub(super) fn read(pool: &DescriptorPool) -> Self {
        let mut texts = HashMap::new();
        for file in pool.file_descriptor_protos() {
            for location in file.source_code_info.iter().flat_map(|info| &info.location) {
                let comment = location.leading_comments().trim();
                if !comment.is_empty() {
                    let text = comment.lines().map(str::trim).collect::<Vec<_>>().join("\n");
                    texts.insert((file.name().to_owned(), location.path.clone()), text);
                }
            }
        }
        Self(texts)
    }

    /// The comment at a path; empty where there is none.
    pub(super) fn at(&self, file: &str, path: &[i32]) -> String {
        self.0.get(&(file.to_owned(), path.to_vec())).cloned().unwrap_or_default()
    }

    pub(super) fn service(&self, pool: &DescriptorPool, name: &str) -> String {
        let service = pool.services().find(|service| service.name() == name);
        service.map(|service| self.at(service.parent_file().name(), service.path())).unwrap_or_default()
    }
}
