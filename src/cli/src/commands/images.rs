//! `banyan images`: where images come from, and how to carry them to a machine without a network.

use std::path::Path;

use compose::observed::{Image, LABEL_PACKAGES};
use engine::Engine;
use engine::docker::images::ArchiveError;
use engine::progress::{Kind, Phase};
use engine::recipe::{Base, Host};
use engine::supply::{Executable, Origin, Sources, Supply};

use super::check_names;
use crate::args::ImagesCommand;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::report::style::humansize;
use crate::report::table::Table;
use crate::{stack, trouble};

/// Carries out one of the sub-commands; an interrupt leaves no half of a file behind.
pub async fn run(context: &Context, command: ImagesCommand) -> Result<u8, Failure> {
    tokio::select! {
        done = carry_out(context, command) => done,
        () = context.cancel.cancelled() => {
            let again = format!("go on: {}", context.again(&[]));
            Err(Failure::new(Exit::Interrupted, 1, "interrupted").hint(again))
        }
    }
}

async fn carry_out(context: &Context, command: ImagesCommand) -> Result<u8, Failure> {
    let all_profiles = ["*".to_owned()];
    let loaded = context.load(&all_profiles, &[])?;
    let project = &loaded.project;
    let engine = context.engine().await?;
    let known: Vec<&str> = project.services.keys().map(String::as_str).collect();
    match command {
        ImagesCommand::List => list(context, &engine, project).await,
        ImagesCommand::Pull { services } => {
            check_names(&services, &known)?;
            let ours = |name: &String| project.services[name.as_str()].image.starts_with("banyan-local/");
            let services = if services.is_empty() {
                project.services.keys().filter(|n| !ours(n)).cloned().collect()
            } else {
                services
            };
            get(context, &engine, project, &services, true, None).await
        }
        ImagesCommand::Build { services, platform_binary } => {
            check_names(&services, &known)?;
            build(context, &engine, project, &services, platform_binary.as_deref()).await
        }
        ImagesCommand::Save { file } => save(context, &engine, project, &file).await,
        ImagesCommand::Load { file } => {
            let names = engine.load(&file, &context.journal).await.map_err(archive_failure)?;
            context.journal.tell(Kind::Image, &file.display().to_string(), Phase::Done("loaded"), None);
            if context.json() {
                context.print_json(&serde_json::json!({ "schema_version": 1, "loaded": names }));
            } else {
                context.print(&format!("loaded\n  {}", names.join("\n  ")));
            }
            Ok(0)
        }
    }
}

/// Everything that images can come from, as this machine has it.
pub fn supply<'a>(
    context: &'a Context,
    engine: &'a Engine,
    pull: bool,
    platform_binary: Option<&'a Path>,
) -> Result<Supply<'a>, Failure> {
    let os_release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let certificates = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"]
        .iter()
        .find_map(|p| std::fs::read(p).ok())
        .unwrap_or_default();
    let proxies = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "PIP_INDEX_URL"];
    let args = proxies.iter().filter_map(|n| Some(((*n).to_owned(), context.env.get(*n)?.clone()))).collect();
    let host = Base::from_os_release(&os_release)
        .map(|base| Host { base, certificates: certificates.into(), args })
        .map_err(|e| match e {
            engine::recipe::RecipeError::UnsupportedHost { found } => found,
            other => other.to_string(),
        });
    let home = context.env.get("HOME").map(std::path::PathBuf::from);
    let folder =
        context.env.get("DOCKER_CONFIG").map(std::path::PathBuf::from).or_else(|| home.map(|h| h.join(".docker")));
    let docker_config = folder.and_then(|f| std::fs::read_to_string(f.join("config.json")).ok());
    let executable = platform_binary.map_or(Executable::Own(&context.executable), Executable::Given);
    let sources = Sources { recipes: stack::recipes(), host, pull };
    Ok(Supply { engine, sources, executable, docker_config, journal: &context.journal })
}

async fn list(context: &Context, engine: &Engine, project: &compose::Project) -> Result<u8, Failure> {
    let observed = engine.observe(&project.name).await?;
    let supply = supply(context, engine, false, None)?;
    let mut table = Table::new(["SERVICE", "IMAGE", "FROM", "VERSION", "SIZE"]);
    let mut items = Vec::new();
    for service in project.services.values() {
        let origin = supply.sources.origin(&observed, service);
        let here = match &origin {
            Origin::Here(chosen) => supply.with_version(chosen.clone()).await,
            Origin::Executable => supply.platform_image(&observed),
            Origin::Program(program) => supply.program_image(&observed, &service.image, program),
            _ => None,
        };
        let size = here.as_ref().and_then(|c| observed.image(&c.reference)).map(|i| i.size);
        let (plan, recipe) = match (&origin, &here) {
            (_, Some(_)) => ("none", None),
            (Origin::Executable | Origin::Program(_), None) => ("make", None),
            (Origin::Build(recipe), _) => ("build", Some(recipe.to_string())),
            (Origin::Fetch { recipe }, _) => ("pull", recipe.as_ref().map(ToString::to_string)),
            (Origin::Here(_), None) => ("pull", None),
        };
        let from = match (&origin, &here) {
            (_, Some(chosen)) => chosen.source.clone(),
            (Origin::Executable | Origin::Program(_), None) => "not made yet".to_owned(),
            (Origin::Build(recipe), _) => format!("not here; recipe {recipe}"),
            (Origin::Fetch { recipe: Some(recipe) }, _) => format!("not here; registry or recipe {recipe}"),
            _ => "not here; registry".to_owned(),
        };
        let packages = here.as_ref().and_then(|c| packages(observed.image(&c.reference)?));
        let reference = here.as_ref().map_or(service.image.clone(), |c| c.reference.clone());
        let version = here.as_ref().map(|c| c.version.clone()).unwrap_or_default();
        items.push(serde_json::json!({
            "service": service.name, "wanted": service.image, "image": reference, "here": here.is_some(),
            "source": here.as_ref().map(|c| c.source.as_str()), "to_get_it": plan, "recipe": recipe, "version": version, "size_bytes": size, "packages": packages,
        }));
        table.row([service.name.clone(), reference, from, version, size.map(humansize).unwrap_or_default()]);
    }
    if context.json() {
        context.print_json(&serde_json::json!({ "schema_version": 1, "items": items }));
    } else {
        context.print(&table.render(context.style, context.terminal.table_width()));
    }
    Ok(0)
}

/// What an image is made of, if it says so: those of recipes do.
fn packages(image: &Image) -> Option<Vec<serde_json::Value>> {
    let package = |entry: &str| {
        let (name, version) = entry.split_once('=')?;
        Some(serde_json::json!({ "name": name, "version": version }))
    };
    Some(image.label(LABEL_PACKAGES)?.split(' ').filter_map(package).collect())
}

async fn get(
    context: &Context,
    engine: &Engine,
    project: &compose::Project,
    services: &[String],
    pull: bool,
    platform_binary: Option<&Path>,
) -> Result<u8, Failure> {
    let observed = engine.observe(&project.name).await?;
    let supply = supply(context, engine, pull, platform_binary)?;
    let (images, unavailable) = supply.images(project, &observed, services).await;
    context.screen.finish();
    if context.json() {
        let items: Vec<_> = images.iter().map(|(s, i)| serde_json::json!({ "service": s, "image": i.reference, "source": i.source, "version": i.version })).collect();
        context.print_json(&serde_json::json!({ "schema_version": 1, "items": items }));
    } else {
        let mut table = Table::new(["SERVICE", "IMAGE", "FROM", "VERSION"]);
        for (service, image) in &images {
            table.row([service.clone(), image.reference.clone(), image.source.clone(), image.version.clone()]);
        }
        context.print(&table.render(context.style, context.terminal.table_width()));
    }
    if unavailable.is_empty() { Ok(0) } else { Err(trouble::images(context, &unavailable)) }
}

/// Builds from recipes, whatever a registry may have.
async fn build(
    context: &Context,
    engine: &Engine,
    project: &compose::Project,
    services: &[String],
    platform_binary: Option<&Path>,
) -> Result<u8, Failure> {
    let mut project = project.clone();
    let supply = supply(context, engine, false, platform_binary)?;
    let known = |s: &compose::project::Service| {
        s.extension
            .recipe
            .as_deref()
            .is_some_and(|r| r == engine::supply::PLATFORM || supply.sources.recipes.iter().any(|k| k.name == r))
    };
    if let Some(without) = services.iter().find(|n| !known(&project.services[n.as_str()])) {
        return Err(Failure::new(Exit::Image, 4, format!("service `{without}` has no recipe"))
            .hint("recipes exist for postgres, rabbitmq, redis, devbox and the platform's own services"));
    }
    let names: Vec<String> = project
        .services
        .values()
        .filter(|s| known(s) && (services.is_empty() || services.contains(&s.name)))
        .map(|s| s.name.clone())
        .collect();
    for name in &names {
        let service = &mut project.services[name.as_str()];
        let recipe = service.extension.recipe.clone().unwrap_or_default();
        service.image = format!("banyan-local/{recipe}");
    }
    get(context, engine, &project, &names, false, platform_binary).await
}

async fn save(context: &Context, engine: &Engine, project: &compose::Project, file: &Path) -> Result<u8, Failure> {
    let observed = engine.observe(&project.name).await?;
    let supply = supply(context, engine, false, None)?;
    let mut names: Vec<String> = Vec::new();
    let mut absent = Vec::new();
    for service in project.services.values() {
        let here = match supply.sources.origin(&observed, service) {
            Origin::Here(chosen) => Some(chosen.reference),
            Origin::Executable => supply.platform_image(&observed).map(|c| c.reference),
            Origin::Program(program) => supply.program_image(&observed, &service.image, &program).map(|c| c.reference),
            _ => None,
        };
        match here {
            Some(name) if !names.contains(&name) => names.push(name),
            Some(_) => {}
            None => absent.push(service.name.clone()),
        }
    }
    if names.is_empty() {
        return Err(Failure::new(Exit::Image, 5, "no image of the project is here")
            .hint(format!("get them first: {}", context.pasteable(&["images", "pull"]))));
    }
    let references: Vec<&str> = names.iter().map(String::as_str).collect();
    let bytes = engine.save(&references, file, &context.journal).await.map_err(archive_failure)?;
    context.journal.tell(Kind::Image, &file.display().to_string(), Phase::Done("saved"), None);
    if context.json() {
        context.print_json(&serde_json::json!({ "schema_version": 1, "file": file, "saved": names, "absent": absent, "size_bytes": bytes }));
    } else {
        context.print(&format!("saved {} ({})\n  {}", file.display(), humansize(bytes), names.join("\n  ")));
        if !absent.is_empty() {
            context.note(&format!("not here, so not in the file: {}", absent.join(", ")));
        }
    }
    Ok(0)
}

fn archive_failure(error: ArchiveError) -> Failure {
    Failure::new(Exit::Image, 6, error.to_string())
}
