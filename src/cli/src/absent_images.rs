//! Which images of optional services could not be had, so that not every `up` asks for them again.
//!
//! A cache and no state: if it is lost, one more try is made.

use std::collections::BTreeMap;
use std::path::PathBuf;

use compose::digest;
use compose::project::{Project, Service};
use engine::supply::Unavailable;

/// Service to digest of its spec when its image could not be had.
pub struct AbsentImages {
    path: PathBuf,
    missing: BTreeMap<String, String>,
}

impl AbsentImages {
    /// What is remembered of a project.
    pub fn of(data: PathBuf, project: &str) -> Self {
        let path = data.join("unavailable").join(format!("{project}.json"));
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        Self { path, missing: serde_json::from_str(&text).unwrap_or_default() }
    }

    /// True when the image of this very spec could not be had.
    pub fn has(&self, project: &Project, service: &Service) -> bool {
        self.missing.get(&service.name).is_some_and(|d| *d == spec(project, service))
    }

    /// Remembers how this run went.
    pub fn update(mut self, project: &Project, tried: &[String], still: &[String], unavailable: &[Unavailable]) {
        let before = self.missing.clone();
        for name in tried.iter().filter(|n| !still.contains(n)) {
            self.missing.remove(name);
        }
        for name in unavailable.iter().flat_map(|u| &u.services) {
            if let Some(service) = project.services.get(name) {
                self.missing.insert(name.clone(), spec(project, service));
            }
        }
        if self.missing != before {
            // nothing is lost when it cannot be written
            let _ = crate::stack::write(&self.path, &serde_json::to_string(&self.missing).unwrap_or_default());
        }
    }
}

fn spec(project: &Project, service: &Service) -> String {
    digest::short(&digest::groups(project, service, &service.image))
}
