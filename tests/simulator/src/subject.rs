//! What a call is about, as the log and the faults know it: a domain.

use serde_json::Value;

use crate::query::Query;
use crate::route::{Operation, Route};
use crate::world::World;

/// The domain that a call is about.
pub(crate) fn of(
    world: &World,
    route: &Route,
    query: Option<&str>,
    body: Option<&Value>,
) -> Option<String> {
    let in_body = |name: &str| Some(body?.get(name)?.as_str()?.to_owned());
    let in_query = || {
        let query = Query::parse(query);
        let name = query.get("name.exact").or_else(|| query.get("name"));
        name.map(str::to_owned)
    };
    if let Some(zone) = route.zone.as_deref() {
        let dns = &world.model.dns;
        let record = route.record_id.as_deref().and_then(|id| dns.record(id));
        return record
            .map(|record| record.name.clone())
            .or_else(|| dns.full_name(zone, &in_body("name")?))
            .or_else(in_query)
            .or_else(|| dns.zone(zone).map(|zone| zone.name.clone()));
    }
    if route.operation == Ok(Operation::ListZones) {
        return in_query();
    }
    in_body("email_domain").or_else(|| {
        let connector = world.model.connector(route.connector_id.as_deref()?)?;
        Some(connector.email_domain.clone())
    })
}
