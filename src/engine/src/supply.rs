//! Where the image of a service comes from: this engine, a registry, a recipe, or this executable.

mod origin;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use compose::observed::Observed;
use compose::plan::{Chosen, Images};
use compose::project::{Project, PullPolicy, Service};
use futures_util::future::join_all;

use crate::docker::images::{Credentials, PullError};
use crate::docker::{Engine, Error};
use crate::platform_image::{self, PlatformImageError};
use crate::progress::{Journal, Kind, Phase};
use crate::recipe::{self, RecipeError};
pub use origin::{Origin, Sources};
use origin::{chosen, of_recipe};

/// Name of the recipe that is no recipe: the image is made from the executable.
pub const PLATFORM: &str = "platform";

/// Everything that images can come from.
pub struct Supply<'a> {
    /// The engine.
    pub engine: &'a Engine,
    /// What decides between them.
    pub sources: Sources,
    /// The executable that becomes the platform image.
    pub executable: Executable<'a>,
    /// Text of Docker's `config.json`, for credentials.
    pub docker_config: Option<String>,
    /// Who is told.
    pub journal: &'a Journal,
}

/// The executable that becomes the platform image.
#[derive(Debug, Clone, Copy)]
pub enum Executable<'a> {
    /// The one that runs.
    Own(&'a Path),
    /// One that the user gave for this, and that must be taken.
    Given(&'a Path),
}

impl<'a> Executable<'a> {
    fn path(self) -> &'a Path {
        let (Executable::Own(path) | Executable::Given(path)) = self;
        path
    }
}

/// An image that could not be had.
#[derive(Debug)]
pub struct Unavailable {
    /// Services that need it.
    pub services: Vec<String>,
    /// Its name.
    pub reference: String,
    /// Why.
    pub reason: SupplyError,
}

/// Why an image could not be had.
#[derive(Debug, thiserror::Error)]
pub enum SupplyError {
    /// The registry did not give it, and no recipe stands in.
    #[error(transparent)]
    Pull(#[from] PullError),
    /// No registry answered, and the recipe could not be built.
    #[error("{recipe}")]
    Recipe {
        /// What the registry said, if it was asked.
        pull: Option<PullError>,
        /// Why the recipe failed.
        recipe: RecipeError,
    },
    /// The platform image could not be made.
    #[error(transparent)]
    Platform(#[from] PlatformImageError),
    /// The program that the image is made from is not there.
    #[error("there is no program {path} yet", path = .0.display())]
    NotBuilt(PathBuf),
    /// `pull_policy: never`, and the engine does not have it.
    #[error("not there, and its pull policy is `never`")]
    Never,
    /// The engine refused.
    #[error(transparent)]
    Engine(#[from] Error),
}

impl Supply<'_> {
    /// The service that stands for all that use its image: one that says what it is made from, if there is one.
    pub fn user_of<'p>(&self, project: &'p Project, image: &str) -> Option<&'p Service> {
        let users = || project.services.values().filter(|s| s.image == image);
        users().find(|s| s.extension.recipe.is_some() || s.extension.executable.is_some()).or_else(|| users().next())
    }

    /// The images of the services; each one is fetched or made once, different ones at the same time.
    pub async fn images(
        &self,
        project: &Project,
        observed: &Observed,
        services: &[String],
    ) -> (Images, Vec<Unavailable>) {
        let mut wanted: BTreeMap<&str, Vec<&Service>> = BTreeMap::new();
        for service in services.iter().filter_map(|s| project.services.get(s)) {
            wanted.entry(&service.image).or_default().push(service);
        }
        let had = join_all(
            wanted.iter().map(|(image, users)| self.image(observed, self.user_of(project, image).unwrap_or(users[0]))),
        )
        .await;
        let (mut images, mut unavailable) = (Images::new(), Vec::new());
        for ((reference, users), result) in wanted.into_iter().zip(had) {
            let services: Vec<String> = users.iter().map(|s| s.name.clone()).collect();
            match result {
                Ok(image) => images.extend(services.into_iter().map(|s| (s, image.clone()))),
                Err(reason) => unavailable.push(Unavailable { services, reference: reference.to_owned(), reason }),
            }
        }
        if images.values().any(|i| i.source == "recipe" && !observed.images.iter().any(|known| known.id == i.id)) {
            // what builds leave behind; what cannot be removed now is no harm
            let _ = recipe::sweep(self.engine).await;
        }
        (images, unavailable)
    }

    async fn image(&self, observed: &Observed, service: &Service) -> Result<Chosen, SupplyError> {
        match self.sources.origin(observed, service) {
            Origin::Here(chosen) if chosen.version.is_empty() => self.inspected(&chosen.reference).await,
            Origin::Here(chosen) => Ok(chosen),
            Origin::Executable => match self.platform_image(observed) {
                Some(image) => Ok(image),
                None => self.made().await,
            },
            Origin::Program(program) => self.of_program(observed, &service.image, &program).await,
            Origin::Build(recipe) => self.build(observed, &recipe, None).await,
            Origin::Fetch { .. } if service.pull_policy == PullPolicy::Never => Err(SupplyError::Never),
            Origin::Fetch { recipe } => self.fetch(observed, service, recipe).await,
        }
    }

    /// The image made from the executable, if it was made and the executable has not changed since.
    pub fn platform_image(&self, observed: &Observed) -> Option<Chosen> {
        self.program_image(observed, platform_image::REPOSITORY, self.executable.path())
    }

    /// The same of another program, whose image is called `repository`.
    pub fn program_image(&self, observed: &Observed, repository: &str, program: &Path) -> Option<Chosen> {
        let tag = platform_image::find(&observed.images, repository, program).ok()??;
        observed.image(&tag).map(|image| chosen(&tag, image))
    }

    async fn of_program(&self, observed: &Observed, image: &str, program: &Path) -> Result<Chosen, SupplyError> {
        if !program.is_file() {
            return Err(SupplyError::NotBuilt(program.to_owned()));
        }
        if let Some(image) = self.program_image(observed, image, program) {
            return Ok(image);
        }
        let tag = platform_image::ensure(self.engine, image, program, self.journal).await?;
        self.journal.tell(Kind::Image, &tag, Phase::Done("made"), Some(format!("from {}", program.display())));
        self.inspected(&tag).await
    }

    async fn made(&self) -> Result<Chosen, SupplyError> {
        let made =
            platform_image::ensure(self.engine, platform_image::REPOSITORY, self.executable.path(), self.journal).await;
        let (tag, word, note) = match (made, self.executable) {
            (Ok(tag), _) => (tag, "made", "from this executable"),
            // this one cannot run on the engine, but another of the same version was given before
            (Err(unfit @ PlatformImageError::NeedsLinuxExecutable { .. }), Executable::Own(_)) => {
                match platform_image::of_this_version(&self.engine.images().await?) {
                    Some(tag) => (tag, "kept", "made from another executable of this version"),
                    None => return Err(unfit.into()),
                }
            }
            (Err(error), _) => return Err(error.into()),
        };
        self.journal.tell(Kind::Image, &tag, Phase::Done(word), Some(note.into()));
        self.inspected(&tag).await
    }

    /// The same image, with its version asked for when the list did not tell it.
    pub async fn with_version(&self, image: Chosen) -> Option<Chosen> {
        if image.version.is_empty() { self.inspected(&image.reference).await.ok() } else { Some(image) }
    }

    async fn fetch(
        &self,
        observed: &Observed,
        service: &Service,
        recipe: Option<String>,
    ) -> Result<Chosen, SupplyError> {
        let reference = &service.image;
        let credentials = self.credentials(reference).await;
        let Err(error) = self.engine.pull(reference, credentials.as_ref(), self.journal).await else {
            self.journal.tell(Kind::Image, reference, Phase::Done("pulled"), None);
            return self.inspected(reference).await;
        };
        let unanswered = matches!(error, PullError::NoRegistry { .. });
        // asked to pull, but nobody answers: what is here is better than nothing
        if let Some(image) = observed.image(reference).filter(|_| unanswered) {
            self.journal.tell(Kind::Image, reference, Phase::Warned("kept"), Some("no registry answers".into()));
            return Ok(chosen(reference, image));
        }
        match recipe {
            Some(recipe) if unanswered => {
                let note = format!("no registry answers; recipe {recipe} stands in");
                self.journal.tell(Kind::Image, reference, Phase::Warned("replaced"), Some(note));
                if let Some(built) = self.sources.built(observed, &recipe) {
                    return Ok(built);
                }
                self.build(observed, &recipe, Some(error)).await
            }
            _ => Err(error.into()),
        }
    }

    /// What opens the registry, if anything does; a helper that does not work may not be needed.
    async fn credentials(&self, reference: &str) -> Option<Credentials> {
        Credentials::find(self.docker_config.as_deref()?, reference).await.unwrap_or_else(|error| {
            let phase = Phase::Warned("without credentials");
            self.journal.tell(Kind::Image, reference, phase, Some(error.to_string()));
            None
        })
    }

    async fn build(&self, observed: &Observed, name: &str, pull: Option<PullError>) -> Result<Chosen, SupplyError> {
        let recipe = self.sources.recipes.iter().find(|r| r.name == name).expect("only known recipes are chosen");
        let built = match &self.sources.host {
            Ok(host) => recipe::build(self.engine, recipe, host, self.journal).await,
            Err(found) => Err(RecipeError::UnsupportedHost { found: found.clone() }),
        };
        match built {
            Ok(built) => {
                self.journal.tell(Kind::Image, &recipe.repository(), Phase::Done("built"), Some(built.tag.clone()));
                Ok(of_recipe(built))
            }
            Err(error) => match recipe.newest(&observed.images) {
                // one that was built elsewhere, or from an earlier recipe, is better than nothing
                Some(built) => {
                    let phase = Phase::Warned("not built");
                    self.journal.tell(
                        Kind::Image,
                        &recipe.repository(),
                        phase,
                        Some(format!("{error}; {} stands in", built.tag)),
                    );
                    Ok(of_recipe(built))
                }
                None => Err(SupplyError::Recipe { pull, recipe: error }),
            },
        }
    }

    /// The image with the version that only an inspection shows.
    async fn inspected(&self, reference: &str) -> Result<Chosen, SupplyError> {
        let detail = self.engine.image(reference).await?.ok_or(SupplyError::Never)?;
        Ok(Chosen {
            reference: reference.to_owned(),
            id: detail.id.clone(),
            source: detail.source().unwrap_or("image").to_owned(),
            version: detail.version().to_owned(),
        })
    }
}
