//! Both sides as views `served` and `shadow` over the attached files: the columns of `events` and `place`, the number of the partition's
//! entry in the comparison.

use super::Sides;
use crate::compact::Input;
use crate::duck::quoted;
use crate::write::WriteError;
use duckdb::Connection;
use std::collections::HashMap;
use std::path::Path;
use weir_rollup::part;

/// Attaches the files that have rows of the stretch, each once, and makes the views.
pub(super) fn create(connection: &Connection, sides: &[Sides], site_id: Option<u32>) -> Result<(), WriteError> {
    // An empty table gives the columns and their types to a side without files.
    connection.execute_batch(part::SCHEMA)?;
    let mut attached = HashMap::new();
    let sides = || sides.iter().enumerate();
    view(connection, "served", sides().map(|(place, sides)| (place, sides, sides.served.as_slice())), site_id, &mut attached)?;
    view(connection, "shadow", sides().map(|(place, sides)| (place, sides, sides.shadow.as_slice())), site_id, &mut attached)
}

fn view<'a>(
    connection: &Connection,
    name: &str,
    sides: impl Iterator<Item = (usize, &'a Sides, &'a [Input])>,
    site_id: Option<u32>,
    attached: &mut HashMap<&'a Path, String>,
) -> Result<(), WriteError> {
    let mut selects = vec!["SELECT 0::UINTEGER AS place, * FROM memory.main.events".to_owned()];
    for (place, sides, inputs) in sides {
        let Sides { after_seq, through_seq, .. } = sides;
        for input in inputs.iter().filter(|input| is_touched(input, sides, site_id)) {
            if !attached.contains_key(input.path.path()) {
                let database = format!("file{}", attached.len());
                connection.execute_batch(&format!("ATTACH {} AS {database} (READ_ONLY)", quoted(&input.path)))?;
                attached.insert(&input.path, database);
            }
            let Some(database) = attached.get(input.path.path()) else { continue };
            let of_site = site_id.map(|site_id| format!(" AND site_id = {site_id}")).unwrap_or_default();
            selects.push(format!(
                "SELECT {place}::UINTEGER AS place, * FROM {database}.events \
                 WHERE seq > {after_seq} AND seq <= {through_seq}{of_site}"
            ));
        }
    }
    connection.execute_batch(&format!("CREATE TEMP VIEW {name} AS {}", selects.join(" UNION ALL ")))?;
    Ok(())
}

/// Whether the file can have rows that count.
fn is_touched(input: &Input, sides: &Sides, site_id: Option<u32>) -> bool {
    let part = &input.part;
    part.rows > 0
        && part.max_seq > sides.after_seq
        && part.min_seq <= sides.through_seq
        && site_id.is_none_or(|site_id| part.min_site_id <= site_id && site_id <= part.max_site_id)
}
