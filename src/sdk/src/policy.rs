//! Policies: rules about who may do what with which message, asked after the permissions and before the handler.

use std::future::Future;

use futures_util::future::BoxFuture;

use crate::{
    context::Context,
    protocol::{Fault, FaultCode, Payload},
};

/// A rule that needs more than permissions: the message itself, or what the service knows.
pub trait Policy<S>: Send + Sync {
    /// What it is called in refusals.
    fn name(&self) -> &str;

    /// Refuses, or lets the message through.
    fn check<'a>(&'a self, cx: &'a Context<S>, payload: &'a Payload) -> BoxFuture<'a, Result<(), Fault>>;
}

/// A policy made of a function of the context and the message.
pub(crate) struct Rule<F, M> {
    pub(crate) name: &'static str,
    pub(crate) rule: F,
    pub(crate) message: std::marker::PhantomData<fn(M)>,
}

impl<S, F, M, Fut> Policy<S> for Rule<F, M>
where
    S: Send + Sync + 'static,
    M: serde::de::DeserializeOwned + Send + 'static,
    F: Fn(Context<S>, M) -> Fut + Send + Sync,
    Fut: Future<Output = Result<bool, Fault>> + Send,
{
    fn name(&self) -> &str {
        self.name
    }

    fn check<'a>(&'a self, cx: &'a Context<S>, payload: &'a Payload) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            let message: M = payload.read().map_err(|error| Fault::validation(error.to_string()))?;
            if (self.rule)(cx.clone(), message).await? {
                return Ok(());
            }
            let code = if cx.auth().is_some() { FaultCode::PolicyViolation } else { FaultCode::PolicyAuthRequired };
            Err(Fault::new(code, format!("the policy `{}` refuses this", self.name)))
        })
    }
}
