//! Snapshots of templates. They are written once, and never change.

use std::sync::Arc;

use tasker_store::{TemplateId, TemplateRecord};
use tokio_postgres::GenericClient;
use tokio_postgres::types::Type;

use crate::columns::Value;
use crate::error::PgResult;
use crate::sql::statement;
use crate::values::get;

/// Writes a snapshot, unless it is there.
pub(crate) async fn put(
    client: &impl GenericClient,
    schema: &str,
    template: &TemplateRecord,
) -> PgResult<()> {
    let TemplateRecord { id, namespace, name, version, snapshot } = template;
    let values: [Value<'_>; 5] = [
        (&id.0, Type::UUID),
        (namespace, Type::TEXT),
        (name, Type::TEXT),
        (version, Type::TEXT),
        (snapshot, Type::TEXT),
    ];
    client.query_typed(&statement!("put_template", schema), &values).await?;
    Ok(())
}

/// The ids of all snapshots.
pub(crate) async fn ids(client: &impl GenericClient, schema: &str) -> PgResult<Vec<TemplateId>> {
    let rows = client.query_typed(&statement!("template_ids", schema), &[]).await?;
    rows.iter().map(|row| Ok(TemplateId(get(row, "id")?))).collect()
}

pub(crate) async fn get_template(
    client: &impl GenericClient,
    schema: &str,
    id: TemplateId,
) -> PgResult<Option<Arc<TemplateRecord>>> {
    let rows = client.query_typed(&statement!("template", schema), &[(&id.0, Type::UUID)]).await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(Arc::new(TemplateRecord {
        id,
        namespace: get(row, "namespace")?,
        name: get(row, "name")?,
        version: get(row, "version")?,
        snapshot: get(row, "snapshot")?,
    })))
}
