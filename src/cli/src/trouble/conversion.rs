//! How data that this server cannot open is taken over, as commands that work when they are pasted one after the other.

use compose::observed::{LABEL_RECIPE, LABEL_VERSION, Observed};
use compose::project::{MountSource, Project, Protocol, Service};

use crate::context::Context;
use crate::setup::shell::quote;

/// For a volume whose data `has` this source and version.
pub fn hint(
    context: &Context,
    project: &Project,
    observed: &Observed,
    service: &str,
    volume: &str,
    has: &(String, String),
) -> String {
    let reset = context.pasteable(&["reset", service]);
    let dump = project.services.get(service).and_then(|s| dump(context, project, observed, s, volume, has));
    match dump {
        Some(commands) => format!("{commands}\nor only start empty: {reset}"),
        None => format!("to start empty, deleting {volume}: {reset}\nto keep the data, run the server that made it"),
    }
}

/// PostgreSQL can be dumped by the server that made the data, and loaded by any later one.
fn dump(
    context: &Context,
    project: &Project,
    observed: &Observed,
    service: &Service,
    volume: &str,
    (source, version): &(String, String),
) -> Option<String> {
    let ready = service.extension.ready.as_ref().filter(|r| r.protocol == Protocol::Sql)?;
    let user = quote(ready.user.as_deref().unwrap_or("postgres"));
    let mounted = |key: &str| project.volumes.get(key).is_some_and(|v| v.name == volume);
    let target = &service.mounts.iter().find(|m| matches!(&m.source, MountSource::Volume(k) if mounted(k)))?.target;
    let image = quote(&maker(observed, service, source, version)?);
    let (old, new) = (quote(&format!("{volume}-old")), quote(&service.container_name));
    let file = quote(&format!("{volume}.sql"));
    let mount = quote(&format!("{volume}:{target}"));
    let down = context.pasteable(&["down", &service.name]);
    let reset = context.pasteable(&["reset", "--yes", &service.name]);
    Some(format!(
        "to keep the data, start the server that made it: {down} && docker run -d --name {old} -v {mount} {image}\n\
         when it is ready, dump: until docker exec {old} pg_isready -q; do sleep 1; done; docker exec {old} pg_dumpall -U {user} > {file}\n\
         start empty: docker rm -f {old} && {reset}\n\
         and load: docker exec -i {new} psql -q -U {user} -d postgres < {file}"
    ))
}

/// The image that made the data: a recipe's, if the engine still has it, or the published one.
fn maker(observed: &Observed, service: &Service, source: &str, version: &str) -> Option<String> {
    let recipe = service.extension.recipe.as_deref();
    if source != "recipe" {
        let name = match service.image.starts_with("banyan-local/") {
            true => recipe?,
            false => name_of(&service.image),
        };
        return Some(format!("{name}:{version}"));
    }
    let same =
        |i: &&compose::observed::Image| i.label(LABEL_RECIPE) == recipe && i.label(LABEL_VERSION) == Some(version);
    observed.images.iter().filter(same).find_map(|i| i.tags.first().cloned())
}

/// Without tag and digest; a port is neither.
fn name_of(image: &str) -> &str {
    let image = image.split('@').next().unwrap_or(image);
    image.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(image, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use compose::observed::Image;
    use compose::project::Extension;

    use super::*;

    #[test]
    fn the_image_that_made_the_data_is_named() {
        let service = |image: &str| Service {
            image: image.to_owned(),
            extension: Extension { recipe: Some("postgres".to_owned()), ..Extension::default() },
            ..Service::default()
        };
        let labels = [(LABEL_RECIPE, "postgres"), (LABEL_VERSION, "16.14")];
        let made = Image {
            tags: vec!["banyan-local/postgres:16.14-aa".to_owned()],
            labels: labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            ..Image::default()
        };
        let observed = Observed { images: vec![made], ..Observed::default() };
        let of = |image: &str, source: &str, version: &str| maker(&observed, &service(image), source, version);
        assert_eq!(of("postgres:16-alpine", "image", "16.4").as_deref(), Some("postgres:16.4"));
        assert_eq!(of("host:5000/pg", "image", "16.4").as_deref(), Some("host:5000/pg:16.4"));
        assert_eq!(of("banyan-local/postgres:1", "image", "16.4").as_deref(), Some("postgres:16.4"));
        assert_eq!(of("postgres:16", "recipe", "16.14").as_deref(), Some("banyan-local/postgres:16.14-aa"));
        assert_eq!(of("postgres:16", "recipe", "15.1"), None, "nobody can run that any more");
    }
}
