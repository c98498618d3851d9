//! Who asks.
use banyan_sdk::protocol::{
    Auth, Contract, Fault,
    permission::{self, Permissions},
};
use std::{net::IpAddr, sync::Arc};
pub(crate) struct Caller {
    pub auth: Option<Arc<Auth>>,
    pub wildcards: bool,
    pub expires: Option<u64>,
    pub address: IpAddr,
}
impl Caller {
    pub fn admit(&self, contract: &Contract) -> Result<(), Fault> {
        if self.wildcards
            && let Some(auth) = &self.auth
            && Permissions::with_wildcards(&auth.permissions).allows(&contract.required_permissions)
        {
            return Ok(());
        }
        permission::admit(contract.is_public, &contract.required_permissions, self.auth.as_deref())
    }
}
