//! Services come and go.

use banyan_sdk::{
    Context, Fault, Outcome,
    clock::Now,
    protocol::{
        compat::Difference,
        contract::Severity,
        discovery::{ServiceContractsChanged, ServiceContractsRefused, ServiceDeregistered},
    },
};

use crate::{
    announcement::{self, Announcement, Registration},
    gate::{self, Known, Verdict},
    registry::{Accept, Registry, Told},
    state::State,
};

/// An instance says what it offers.
pub(crate) async fn register(cx: Context<State>, Registration(payload): Registration) -> Result<Outcome<()>, Fault> {
    let now = Now::read().wall;
    let announcement = announcement::read(&payload, now).map_err(|faults| {
        // Nobody knows whom to tell: people find it among the dead letters.
        let faults: Vec<_> = faults.iter().map(|it| format!("{}: {}", it.field, it.message)).collect();
        Fault::validation(faults.join("; "))
    })?;
    let registry = Registry::of(&cx)?;
    // It is there and can be asked how it is, whatever becomes of its contracts.
    registry.note(&announcement.instance).await?;
    if !announcement.is_valid() {
        return refuse(&cx, &registry, &announcement, Vec::new()).await;
    }
    let known = registry.known(announcement.instance.service.as_str()).await?;
    let new = Known {
        version: announcement.instance.version.clone(),
        checksum: announcement.checksum.clone(),
        contracts: announcement.contracts.clone(),
    };
    match gate::judge(&new, announcement.instance.forced, &known) {
        Verdict::Unchanged => Ok(Outcome::done()),
        Verdict::Refused { differences } => refuse(&cx, &registry, &announcement, differences).await,
        Verdict::Accepted { differences, forced } => {
            let verdict = if forced { "forced" } else { "accepted" };
            let told = Told::new(&announcement, verdict, &announcement.faults, &differences);
            let service = announcement.instance.service.to_string();
            let version = new.version.to_string();
            tracing::info!(service, version, verdict, "contracts are taken into use");
            let event = ServiceContractsChanged {
                service_name: service.clone(),
                version,
                checksum: new.checksum,
                differences,
                timestamp: now,
            };
            // At once, so that what is kept is forgotten after the fact and not before it.
            cx.commit(Outcome::done().emit(event).with(Accept::new(told, &known))).await?;
            registry.forget(&service).await;
            Ok(Outcome::done())
        }
    }
}

async fn refuse(
    cx: &Context<State>,
    registry: &Registry,
    announcement: &Announcement,
    differences: Vec<Difference>,
) -> Result<Outcome<()>, Fault> {
    let instance = &announcement.instance;
    let faults: Vec<_> = announcement.faults.iter().filter(|it| it.severity == Severity::Error).cloned().collect();
    registry.refuse(&Told::new(announcement, "refused", &faults, &differences)).await?;
    let breaking: Vec<Difference> = differences.into_iter().filter(|it| it.breaking).collect();
    let (service, version) = (instance.service.as_str(), instance.version.to_string());
    let (faulty, breaks) = (faults.len(), breaking.len());
    tracing::warn!(service, version, faults = faulty, breaks, "contracts are refused; those in use stay in use");
    // It comes again with the next announcement, so that it need not be stored.
    cx.publish(&ServiceContractsRefused {
        service_name: service.to_owned(),
        version,
        service_id: instance.id.clone(),
        faults,
        differences: breaking,
        timestamp: Now::read().wall,
    })
    .await?;
    Ok(Outcome::done())
}

/// An instance says goodbye. What is known of its contracts stays.
pub(crate) async fn leave(cx: Context<State>, event: ServiceDeregistered) -> Result<(), Fault> {
    let registry = Registry::of(&cx)?;
    if registry.leave(&event.service_name, &event.service_id).await? {
        tracing::info!(service = event.service_name, instance = event.service_id, reason = event.reason, "gone");
    }
    Ok(())
}

/// Contracts changed, here or in another instance of service discovery.
pub(crate) async fn changed(cx: Context<State>, event: ServiceContractsChanged) -> Result<(), Fault> {
    Registry::of(&cx)?.forget(&event.service_name).await;
    Ok(())
}
