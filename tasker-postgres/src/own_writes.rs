//! Statements of the application's own, which a handler runs in the transaction that records its result.

use std::error::Error;

use bytes::BytesMut;
use tasker_store::{SqlValue, SqlWrite, StoreError};
use tokio_postgres::GenericClient;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};

use crate::columns::hex;
use crate::error::{PgResult, is_permanent, server_message};

/// Runs the statements, up to the first that fails. Then the transaction must be rolled back.
pub(crate) async fn run(client: &impl GenericClient, writes: &[SqlWrite]) -> PgResult<()> {
    for write in writes {
        let failed = |reason, passing| StoreError::Write { sql: write.sql.clone(), reason, passing };
        if write.controls_transaction() {
            let reason = "it would end the transaction of the step's result".to_owned();
            return Err(failed(reason, false).into());
        }
        let values: Vec<TextValue<'_>> = write.values.iter().map(TextValue).collect();
        let values: Vec<_> = values.iter().map(|value| (value as _, Type::UNKNOWN)).collect();
        match client.query_typed(&write.sql, &values).await {
            Ok(_) => {}
            Err(error) if error.as_db_error().is_some() => {
                return Err(failed(told(&error), !is_permanent(&error)).into());
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// What the server said, and what to do about it.
fn told(error: &tokio_postgres::Error) -> String {
    let hint = match error.code() {
        Some(&SqlState::UNDEFINED_TABLE) => {
            "; the application creates its tables before its worker starts, and names them with their schema"
        }
        _ => "",
    };
    format!("{}{hint}", server_message(error))
}

/// A value in its text form, which the server parses as the type that the statement expects there.
#[derive(Debug)]
struct TextValue<'a>(&'a SqlValue);

impl ToSql for TextValue<'_> {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Send + Sync>> {
        let text = match self.0 {
            SqlValue::Null => return Ok(IsNull::Yes),
            SqlValue::Bool(value) => value.to_string(),
            SqlValue::Integer(value) => value.to_string(),
            SqlValue::Real(value) => value.to_string(),
            SqlValue::Text(value) => value.clone(),
            SqlValue::Bytes(value) => hex(value),
        };
        out.extend_from_slice(text.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}
