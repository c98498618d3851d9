//! Which project a command is about, also when its files are gone or broken: then the containers' labels tell.

use std::collections::BTreeMap;

use compose::observed::{COMPOSE_CONFIG_FILES, Container, LABEL_INSTANCE};

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::project::{Loaded, Origin};

const SEVERAL: &str = "several projects were made from these files:";
const OTHERS: &str = "projects of this folder that were made from other files, or as another instance:";

/// A project that a command is about.
pub struct Identity {
    /// Its name.
    pub name: String,
    /// The project, if its files can be loaded.
    pub loaded: Option<Loaded>,
}

/// What the labels say.
#[derive(Debug, PartialEq, Eq)]
enum Labels {
    /// Containers of one project come from there.
    One(String),
    /// Several projects do: names and files.
    Several(BTreeMap<String, String>),
    /// None does; other projects of the same folder, with their files.
    None(BTreeMap<String, String>),
}

/// The project, with everything that only its profiles switch on.
pub async fn identify(context: &Context) -> Result<Identity, Failure> {
    let failure = match context.load(&["*".to_owned()], &[]) {
        Ok(loaded) => return Ok(Identity { name: loaded.project.name.clone(), loaded: Some(loaded) }),
        Err(failure) if failure.exit == Exit::Config => failure,
        Err(failure) => return Err(failure),
    };
    let Ok(origin) = context.origin() else { return Err(failure) };
    let name = match &origin.name {
        Some(name) => name.clone(),
        None => {
            let engine = context.engine().await?;
            match by_labels(&origin, &engine.containers_from(&origin.folder).await?) {
                Labels::One(name) => name,
                Labels::None(_) if origin.usual.is_some() => origin.usual.unwrap_or_default(),
                Labels::None(others) if others.is_empty() => return Err(failure),
                Labels::None(others) => return Err(unclear(context, &origin, failure, OTHERS, &others)),
                Labels::Several(projects) => return Err(unclear(context, &origin, failure, SEVERAL, &projects)),
            }
        }
    };
    context.note(&format!("the project's files cannot be loaded; it is {name} all the same"));
    Ok(Identity { name, loaded: None })
}

/// The project whose containers say that they were made from there, as this very copy.
fn by_labels(origin: &Origin, containers: &[Container]) -> Labels {
    let files = origin.files.as_ref().map(|files| {
        let files: Vec<_> = files.iter().map(|f| f.to_string_lossy()).collect();
        files.join(",")
    });
    let label = |c: &Container, name: &str| c.labels.get(name).cloned();
    let projects = |wanted: &dyn Fn(&Container) -> bool| -> BTreeMap<String, String> {
        let found = containers.iter().filter(|c| wanted(c));
        found
            .filter_map(|c| Some((c.project()?.to_owned(), label(c, COMPOSE_CONFIG_FILES).unwrap_or_default())))
            .collect()
    };
    let mut same = projects(&|c| {
        label(c, LABEL_INSTANCE) == origin.instance
            && files.as_ref().is_none_or(|files| label(c, COMPOSE_CONFIG_FILES).as_ref() == Some(files))
    });
    match same.len() {
        0 => Labels::None(projects(&|_| true)),
        1 => Labels::One(same.pop_first().map(|(name, _)| name).unwrap_or_default()),
        _ => Labels::Several(same),
    }
}

/// The mistakes in the files, and the projects that could be meant.
fn unclear(
    context: &Context,
    origin: &Origin,
    failure: Failure,
    why: &str,
    projects: &BTreeMap<String, String>,
) -> Failure {
    let suffix = origin.instance.as_ref().map(|i| format!("-{i}")).unwrap_or_default();
    let base = projects.keys().next().map_or("NAME", |name| name.strip_suffix(&suffix).unwrap_or(name));
    failure
        .details([why.to_owned()])
        .details(projects.iter().map(|(name, files)| format!("  {name} ({files})")))
        .hint(format!("correct the files, or say which: COMPOSE_PROJECT_NAME={base} {}", context.again(&[])))
}

#[cfg(test)]
mod tests {
    use compose::observed::COMPOSE_PROJECT;

    use super::*;

    fn container(project: &str, files: &str, instance: Option<&str>) -> Container {
        let mut labels: BTreeMap<String, String> =
            [(COMPOSE_PROJECT, project), (COMPOSE_CONFIG_FILES, files)].map(|(k, v)| (k.into(), v.into())).into();
        labels.extend(instance.map(|i| (LABEL_INSTANCE.to_owned(), i.to_owned())));
        Container { labels, ..Container::default() }
    }

    fn origin(files: Option<&[&str]>, instance: Option<&str>) -> Origin {
        Origin {
            folder: "/p".into(),
            files: files.map(|files| files.iter().map(Into::into).collect()),
            instance: instance.map(str::to_owned),
            name: None,
            usual: None,
        }
    }

    #[test]
    fn files_and_instance_must_be_the_same() {
        let all = [
            container("shop", "/p/a.yaml", None),
            container("shop", "/p/a.yaml", None),
            container("shop-b", "/p/a.yaml", Some("b")),
            container("other", "/p/a.yaml,/p/over.yaml", None),
        ];
        let one = |name: &str| Labels::One(name.to_owned());
        assert_eq!(by_labels(&origin(Some(&["/p/a.yaml"]), None), &all), one("shop"));
        assert_eq!(by_labels(&origin(Some(&["/p/a.yaml"]), Some("b")), &all), one("shop-b"));
        assert_eq!(by_labels(&origin(Some(&["/p/a.yaml", "/p/over.yaml"]), None), &all), one("other"));
        assert!(
            matches!(by_labels(&origin(Some(&["/p/a.yaml"]), Some("c")), &all), Labels::None(found) if found.len() == 3)
        );
        assert!(
            matches!(by_labels(&origin(Some(&["/p/x.yaml"]), None), &all), Labels::None(found) if found.len() == 3)
        );
        assert_eq!(by_labels(&origin(Some(&["/p/a.yaml"]), None), &[]), Labels::None(BTreeMap::new()));
    }

    #[test]
    fn without_a_readable_manifest_only_one_project_of_the_folder_is_clear() {
        let all = [container("shop", "/p/a.yaml", None), container("bakery", "/p/b.yaml", None)];
        assert!(matches!(by_labels(&origin(None, None), &all), Labels::Several(found) if found.len() == 2));
        assert_eq!(by_labels(&origin(None, None), &all[..1]), Labels::One("shop".to_owned()));
    }
}
