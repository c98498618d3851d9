//! Building a recipe: the base, a draft, the draft's version, the image.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use compose::observed::LABEL_PACKAGES;

use super::{Built, DRAFT, Host, PACKAGES_FILE, RECIPE, RECIPE_HASH, Recipe, RecipeError, STAGE, VERSION_FILE, base};
use crate::docker::images::{self, Build, Image};
use crate::docker::{Engine, Error};
use crate::progress::Journal;

/// A draft that is older was left behind by a build that was killed.
const LEFT_BEHIND: Duration = Duration::from_secs(3600);

/// Builds a recipe, and first its base if the engine does not have it. Takes seconds when the engine still has the
/// steps in its cache.
pub async fn build(engine: &Engine, recipe: &Recipe, host: &Host, journal: &Journal) -> Result<Built, RecipeError> {
    let base = base::ensure(engine, &host.base, journal).await?;
    let draft = format!("{}:{DRAFT}{}-{}", recipe.repository(), recipe.hash(&host.base), std::process::id());
    let mut args = host.args.clone();
    args.insert("BASE".to_owned(), base);
    let build = Build {
        name: recipe.repository(),
        tag: draft.clone(),
        context: recipe.context(&host.certificates),
        args,
        ..Default::default()
    };
    engine.build(build, journal).await?;
    let built = finish(engine, recipe, host, &draft, journal).await;
    engine.remove_image(&draft).await?;
    built
}

/// Asks the draft for its version and gives it its name and labels.
async fn finish(
    engine: &Engine,
    recipe: &Recipe,
    host: &Host,
    draft: &str,
    journal: &Journal,
) -> Result<Built, RecipeError> {
    let version = told(engine, recipe, draft, VERSION_FILE).await?;
    let packages = versions(&told(engine, recipe, draft, PACKAGES_FILE).await?);
    let labels = [
        (RECIPE, recipe.name.clone()),
        (RECIPE_HASH, recipe.hash(&host.base)),
        (images::VERSION, version.clone()),
        (LABEL_PACKAGES, packages),
        (images::SOURCE, "recipe".to_owned()),
    ];
    let dockerfile = Bytes::from(format!("FROM {draft}\n"));
    let only = Recipe {
        name: recipe.name.clone(),
        stands_in_for: String::new(),
        files: vec![("Dockerfile".to_owned(), dockerfile, 0o644)],
    };
    let tag = recipe.tag(&version, &host.base);
    let build = Build {
        name: recipe.repository(),
        tag: tag.clone(),
        context: only.context(&Bytes::new()),
        labels: labels.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
        ..Default::default()
    };
    engine.build(build, journal).await?;
    let id = engine.image(&tag).await?.map(|image| image.id).unwrap_or_default();
    Ok(Built { tag, id, version })
}

/// What the draft says of itself in a file.
async fn told(engine: &Engine, recipe: &Recipe, draft: &str, file: &'static str) -> Result<String, RecipeError> {
    let untold = || RecipeError::Untold { recipe: recipe.name.clone(), file };
    let text = match engine.read_from_image(draft, file).await {
        Err(e) if e.is_not_found() => return Err(untold()),
        text => String::from_utf8(text?).map_err(|_| untold())?.trim().to_owned(),
    };
    if text.is_empty() { Err(untold()) } else { Ok(text) }
}

/// The packages without their sums: a label of an image is one of every container, too.
fn versions(packages: &str) -> String {
    packages.lines().filter_map(|line| line.split_whitespace().next()).collect::<Vec<_>>().join(" ")
}

/// Removes what builds leave behind: stages that were only copied from, images that lost their name to a newer build,
/// and what a killed build left. Best after the last recipe, since recipes with equal first stages share them.
/// Gives how many images went.
pub async fn sweep(engine: &Engine) -> Result<usize, Error> {
    engine.remove_temporary_containers(LEFT_BEHIND).await?;
    let mut removed = 0;
    for label in [STAGE, RECIPE] {
        for image in engine.nameless_images(label).await? {
            removed += usize::from(engine.remove_image(&image.id).await?);
        }
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    for tag in engine.images().await?.iter().flat_map(|image| old_drafts(image, now)) {
        removed += usize::from(engine.remove_image(tag).await?);
    }
    Ok(removed)
}

fn old_drafts(image: &Image, now: Duration) -> impl Iterator<Item = &str> {
    let age = now.saturating_sub(Duration::from_secs(image.created.try_into().unwrap_or(0)));
    let draft = |tag: &&str| tag.starts_with("banyan-local/") && tag.contains(&format!(":{DRAFT}"));
    image.tags.iter().map(String::as_str).filter(move |tag| age > LEFT_BEHIND && draft(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_labelled_with_their_versions() {
        assert_eq!(
            versions("redis-server=5:7.0.15-1 00ff\n\nzlib1g=1:1.2 -\n"),
            "redis-server=5:7.0.15-1 zlib1g=1:1.2"
        );
    }

    #[test]
    fn only_old_drafts_of_ours_are_left_behind() {
        let tags = ["banyan-local/redis:draft-00-1", "banyan-local/redis:7-00", "mine/redis:draft-1"];
        let image = Image {
            id: String::new(),
            tags: tags.map(str::to_owned).to_vec(),
            labels: Default::default(),
            size: 0,
            created: 1000,
        };
        assert_eq!(old_drafts(&image, Duration::from_secs(1100)).count(), 0);
        assert_eq!(old_drafts(&image, Duration::from_secs(9000)).collect::<Vec<_>>(), [tags[0]]);
    }
}
