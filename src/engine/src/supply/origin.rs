//! Where the image of a service will come from, decided from what the engine has. Pure.

use std::path::PathBuf;

use compose::observed::{Image, LABEL_SOURCE, LABEL_VERSION, Observed};
use compose::plan::Chosen;
use compose::project::{PullPolicy, Service};

use super::PLATFORM;
use crate::recipe::{Built, Host, Recipe};

/// What decides where images come from.
pub struct Sources {
    /// Recipes by name.
    pub recipes: Vec<Recipe>,
    /// The machine that builds; `Err` says what system it is when recipes cannot be built on it.
    pub host: Result<Host, String>,
    /// Ask the registry even for what is here.
    pub pull: bool,
}

/// Where an image will come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The engine has it.
    Here(Chosen),
    /// It is made from the executable, or was and has not changed.
    Executable,
    /// It is made from this program of the user's own, or was and has not changed.
    Program(PathBuf),
    /// From the registry, or else from the recipe, if there is one.
    Fetch {
        /// The recipe that stands in.
        recipe: Option<String>,
    },
    /// From the recipe: nobody publishes an image of this name.
    Build(String),
}

impl Sources {
    /// Where the image of a service will come from; asks nobody.
    pub fn origin(&self, observed: &Observed, service: &Service) -> Origin {
        let recipe = service.extension.recipe.as_deref();
        let is_ours = service.image.starts_with("banyan-local/");
        let asked = self.pull || service.pull_policy == PullPolicy::Always;
        let here = observed.image(&service.image);
        if recipe == Some(PLATFORM) && is_ours && !service.image.contains(':') {
            return Origin::Executable;
        }
        if let Some(program) = service.extension.executable.as_ref().filter(|_| is_ours && !service.image.contains(':'))
        {
            return Origin::Program(program.clone());
        }
        if let Some(image) = here.filter(|_| !asked || is_ours) {
            return Origin::Here(chosen(&service.image, image));
        }
        let fits = |r: &Recipe| Some(r.name.as_str()) == recipe && (is_ours || r.replaces(&service.image));
        let known = self.recipes.iter().find(|r| fits(r)).map(|r| r.name.clone());
        let built = known.as_deref().and_then(|name| self.built(observed, name));
        match (known, built) {
            (_, Some(built)) if !asked || is_ours => Origin::Here(built),
            (Some(name), _) if is_ours => Origin::Build(name),
            (recipe, _) => Origin::Fetch { recipe },
        }
    }

    /// The image that a recipe has made before: this very recipe on this machine's base, or, where it cannot be built,
    /// the newest that came from elsewhere.
    pub(super) fn built(&self, observed: &Observed, name: &str) -> Option<Chosen> {
        let recipe = self.recipes.iter().find(|r| r.name == name)?;
        match &self.host {
            Ok(host) => recipe.find(&observed.images, &host.base).map(of_recipe),
            Err(_) => recipe.newest(&observed.images).map(of_recipe),
        }
    }
}

pub(super) fn of_recipe(built: Built) -> Chosen {
    Chosen { reference: built.tag, id: built.id, source: "recipe".into(), version: built.version }
}

/// What the list of images tells; the version of an image of somebody else takes an inspection.
pub(super) fn chosen(reference: &str, image: &Image) -> Chosen {
    let label = |name: &str| image.labels.get(name).cloned();
    Chosen {
        reference: reference.to_owned(),
        id: image.id.clone(),
        source: label(LABEL_SOURCE).unwrap_or_else(|| "image".to_owned()),
        version: label(LABEL_VERSION).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::docker::images::VERSION;
    use crate::recipe::{Base, RECIPE, RECIPE_HASH};

    const PUBLISHED: &str = "redis:7-alpine";

    fn recipe() -> Recipe {
        Recipe::embedded("redis", "redis:7", &[("Dockerfile", b"ARG BASE\n")])
    }

    fn base() -> Base {
        Base::from_os_release("ID=debian\n").unwrap()
    }

    /// On Debian, with one recipe.
    fn sources() -> Sources {
        let host = Host { base: base(), certificates: Bytes::new(), args: Default::default() };
        Sources { recipes: vec![recipe()], host: Ok(host), pull: false }
    }

    fn service(image: &str, recipe: Option<&str>) -> Service {
        let mut service = Service { image: image.to_owned(), ..Service::default() };
        service.extension.recipe = recipe.map(str::to_owned);
        service
    }

    fn image(tag: &str, labels: &[(&str, &str)], created: i64) -> Image {
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Image { id: format!("sha256:{tag}"), tags: vec![tag.to_owned()], labels, size: 1, created }
    }

    /// What the recipe makes on this base.
    fn built(recipe: &Recipe, base: &Base) -> Image {
        let (hash, tag) = (recipe.hash(base), recipe.tag("7.0.15", base));
        let labels = [(RECIPE, "redis"), (RECIPE_HASH, &hash), (VERSION, "7.0.15"), (LABEL_SOURCE, "recipe")];
        image(&tag, &labels, 1)
    }

    fn engine(images: &[Image]) -> Observed {
        Observed { images: images.to_vec(), ..Observed::default() }
    }

    /// `here REFERENCE (SOURCE VERSION)`, or what else it is.
    fn told(origin: Origin) -> String {
        match origin {
            Origin::Here(chosen) => format!("here {} ({} {})", chosen.reference, chosen.source, chosen.version),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn what_is_here_is_taken_unless_the_registry_should_be_asked() {
        let here = engine(&[image(PUBLISHED, &[], 1)]);
        let mut wanted = service(PUBLISHED, Some("redis"));
        let fetch = "Fetch { recipe: Some(\"redis\") }";
        assert_eq!(told(sources().origin(&here, &wanted)), format!("here {PUBLISHED} (image )"));
        assert_eq!(told(Sources { pull: true, ..sources() }.origin(&here, &wanted)), fetch);
        wanted.pull_policy = PullPolicy::Always;
        assert_eq!(told(sources().origin(&here, &wanted)), fetch);
        // the name without a tag is that of the latest
        let here = engine(&[image("redis:latest", &[], 1)]);
        assert_eq!(told(sources().origin(&here, &service("redis", None))), "here redis (image )");
        assert_eq!(told(sources().origin(&engine(&[]), &service("redis", None))), "Fetch { recipe: None }");
    }

    #[test]
    fn a_recipe_stands_in_only_for_what_it_is() {
        let made = engine(&[built(&recipe(), &base())]);
        let stands_in = format!("here {} (recipe 7.0.15)", recipe().tag("7.0.15", &base()));
        let origin = |image, recipe| told(sources().origin(&made, &service(image, recipe)));
        assert_eq!(origin(PUBLISHED, Some("redis")), stands_in);
        assert_eq!(origin("docker.io/library/redis:7.2", Some("redis")), stands_in);
        // another version, another image, no recipe named, one that nobody knows
        for (image, recipe) in [
            ("redis:8-alpine", Some("redis")),
            ("shop/redis:7", Some("redis")),
            (PUBLISHED, None),
            (PUBLISHED, Some("x")),
        ] {
            assert_eq!(origin(image, recipe), "Fetch { recipe: None }", "{image} {recipe:?}");
        }
        // before it is made, and when the registry should be asked first
        let wanted = service(PUBLISHED, Some("redis"));
        let fetch = "Fetch { recipe: Some(\"redis\") }";
        assert_eq!(told(sources().origin(&engine(&[]), &wanted)), fetch);
        assert_eq!(told(Sources { pull: true, ..sources() }.origin(&made, &wanted)), fetch);
    }

    #[test]
    fn a_name_of_ours_is_never_asked_for_in_a_registry() {
        let wanted = service("banyan-local/redis", Some("redis"));
        let made = engine(&[built(&recipe(), &base())]);
        for pull in [false, true] {
            let sources = Sources { pull, ..sources() };
            assert_eq!(sources.origin(&engine(&[]), &wanted), Origin::Build("redis".to_owned()));
            assert!(matches!(sources.origin(&made, &wanted), Origin::Here(_)), "pull: {pull}");
        }
        // an image with a tag is that image
        let exact = service("banyan-local/redis:7.0.15-aa", Some("redis"));
        let here =
            engine(&[image("banyan-local/redis:7.0.15-aa", &[(LABEL_SOURCE, "recipe"), (VERSION, "7.0.15")], 1)]);
        let taken = told(Sources { pull: true, ..sources() }.origin(&here, &exact));
        assert_eq!(taken, "here banyan-local/redis:7.0.15-aa (recipe 7.0.15)");
    }

    #[test]
    fn the_platform_is_made_from_the_executable_unless_an_image_is_named() {
        let origin = |image| told(sources().origin(&engine(&[]), &service(image, Some(PLATFORM))));
        assert_eq!(origin("banyan-local/platform"), "Executable");
        assert_eq!(origin("shop/platform:1"), "Fetch { recipe: None }");
    }

    #[test]
    fn a_program_of_the_users_own_becomes_an_image_unless_another_one_is_named() {
        let origin = |image| {
            let mut service = service(image, None);
            service.extension.executable = Some("/shop/target/order".into());
            told(sources().origin(&engine(&[]), &service))
        };
        assert_eq!(origin("banyan-local/order"), "Program(\"/shop/target/order\")");
        assert_eq!(origin("shop/order:1"), "Fetch { recipe: None }");
    }

    #[test]
    fn another_recipe_or_base_is_another_image_except_where_nothing_can_be_built() {
        let mut earlier = recipe();
        earlier.files[0].1 = Bytes::from_static(b"ARG BASE\n# earlier\n");
        let ubuntu = Base::from_os_release("ID=ubuntu\n").unwrap();
        let wanted = service(PUBLISHED, Some("redis"));
        for other in [built(&earlier, &base()), built(&recipe(), &ubuntu)] {
            let here = engine(std::slice::from_ref(&other));
            assert!(matches!(sources().origin(&here, &wanted), Origin::Fetch { recipe: Some(_) }));
            let elsewhere = Sources { host: Err("Fedora Linux 42".to_owned()), ..sources() };
            assert_eq!(told(elsewhere.origin(&here, &wanted)), format!("here {} (recipe 7.0.15)", other.tags[0]));
        }
    }
}
