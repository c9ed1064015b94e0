//! What the modes that look through the keyspace share: pages of SCAN, and a request for each key of a page
//! sent at once.

use super::fail;
use crate::connection::Lost;
use crate::session::{Session, Told};
use resp::client::Value;

/// `pause` between so many rounds of SCAN.
pub(super) const ROUNDS_BETWEEN_PAUSES: u64 = 100;

/// One round of SCAN: the next cursor and the keys.
pub(super) fn scan(session: &mut Session, cursor: u64) -> Result<(u64, Vec<Vec<u8>>), Told> {
    let mut words = vec![b"SCAN".to_vec(), cursor.to_string().into_bytes()];
    if let Some(pattern) = &session.options.pattern {
        words.extend([b"MATCH".to_vec(), pattern.clone()]);
    }
    if let Some(count) = session.options.count {
        words.extend([b"COUNT".to_vec(), count.to_string().into_bytes()]);
    }
    let reply = session
        .connected()?
        .ask(&words)
        .map_err(|_| fail("\nI/O error"))?;
    if let Value::Error(text) = &reply {
        let text = String::from_utf8_lossy(text);
        return Err(fail(&format!("SCAN error: {text}")));
    }
    let Some([next, keys]) = reply.elements() else {
        return Err(fail("SCAN's reply is not a cursor and keys!"));
    };
    let next = next.text().and_then(resp::number::parse_u64);
    match (next, keys.elements()) {
        (Some(next), Some(keys)) => Ok((
            next,
            keys.iter()
                .map(|key| key.text().unwrap_or_default().to_vec())
                .collect(),
        )),
        _ => Err(fail("SCAN's reply is not a cursor and keys!")),
    }
}

/// How many keys there are.
pub(super) fn count(session: &mut Session) -> Result<u64, Told> {
    match session.connected()?.ask(&["DBSIZE"]) {
        Ok(Value::Int(count)) => Ok(u64::try_from(count).unwrap_or(0)),
        Ok(Value::Error(text)) => {
            let text = String::from_utf8_lossy(&text);
            Err(fail(&format!("Couldn't determine DBSIZE: {text}")))
        }
        Ok(_) => Err(fail("Non INTEGER response from DBSIZE!")),
        Err(_) => Err(fail("\nI/O error")),
    }
}

/// Sends all requests, then reads all replies.
pub(super) fn ask_all(session: &mut Session, requests: &[Vec<&[u8]>]) -> Result<Vec<Value>, Told> {
    let connection = session.connected()?;
    let mut bytes = Vec::new();
    for request in requests {
        resp::client::request(&mut bytes, request);
    }
    let mut replies = || -> Result<Vec<Value>, Lost> {
        connection.send_raw(&bytes)?;
        requests.iter().map(|_| connection.reply()).collect()
    };
    replies().map_err(|lost| fail(&format!("Error: {lost}")))
}

/// The types of keys; `None` for those that have gone meanwhile.
pub(super) fn types(session: &mut Session, keys: &[Vec<u8>]) -> Result<Vec<Option<String>>, Told> {
    let requests: Vec<Vec<&[u8]>> = keys
        .iter()
        .map(|key| vec![b"TYPE".as_slice(), key])
        .collect();
    ask_all(session, &requests)?
        .into_iter()
        .map(|reply| match reply {
            Value::Simple(name) if name == b"none" => Ok(None),
            Value::Simple(name) => Ok(Some(String::from_utf8_lossy(&name).into_owned())),
            Value::Error(text) => {
                let text = String::from_utf8_lossy(&text);
                Err(fail(&format!("TYPE returned an error: {text}")))
            }
            _ => Err(fail("Invalid reply type for TYPE!")),
        })
        .collect()
}

/// A key in quotes, as it is shown.
pub(super) fn shown(key: &[u8]) -> String {
    String::from_utf8_lossy(&resp::repr(key)).into_owned()
}

/// Which share of the keys has been seen, as it stands in front of a line.
pub(super) fn percent(seen: u64, all: u64) -> String {
    let share = match all {
        0 => 100.0,
        all => 100.0 * seen as f64 / all as f64,
    };
    format!("[{share:05.2}%]")
}
