//! DEBUG about keys: DIGEST, DIGEST-VALUE, HTSTATS, HTSTATS-KEY, LISTPACK, OBJECT, POPULATE.

use collections::listpack::Element;
use commands::CommandError;
use rdb::{Compressor, Digest};
use store::{Encoding, NewStr, Object, Slot, Unit};

use crate::admin::AdminCall;
use crate::log;

/// The unit that the row's locks promise.
fn unit<'u, 's>(call: &'u mut AdminCall<'_, 's>) -> &'u mut Unit<'s> {
    call.unit
        .as_deref_mut()
        .expect("the row asks for all locks")
}

/// DEBUG DIGEST.
pub(super) fn digest(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let databases = call.server.store.databases();
    let cut = unit(call).cut()?;
    let digest = Digest::of_cut(&cut, databases);
    call.reply.simple(digest.to_string().as_bytes());
    Ok(())
}

/// DEBUG DIGEST-VALUE key [key ...]
pub(super) fn digest_value(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let words = call.args.skip(2);
    call.reply.array(words.len());
    for word in words {
        let unit = unit(call);
        let key = unit.key(word);
        let digest = unit.peek(key).map(Digest::of_value).unwrap_or_default();
        call.reply.simple(digest.to_string().as_bytes());
    }
    Ok(())
}

/// DEBUG HTSTATS dbid: how many keys the table of a database has, and how many of them expire.
pub(super) fn htstats(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let db = resp::number::parse_i64(call.args.get(2)).ok_or(CommandError::NotInteger)?;
    let store = &call.server.store;
    let db = u32::try_from(db)
        .ok()
        .filter(|&db| db < store.databases())
        .ok_or(CommandError::Fixed("ERR Out of range database"))?;
    let size = store.db_size(db, call.desk.clock_ms);
    let mut text = String::new();
    // Deadlines stand in the entries: the second table of the text is a count here.
    for (title, elements) in [("Dictionary", size.keys), ("Expires", size.deadlines)] {
        let figures = match elements {
            0 => "No stats available for empty dictionaries\n".to_owned(),
            _ => format!(" number of elements: {elements}\n"),
        };
        text.push_str(&format!("[{title} HT]\n{figures}"));
    }
    call.reply.verbatim(b"txt", text.as_bytes());
    Ok(())
}

/// DEBUG HTSTATS-KEY key: how many elements the table of a key has. There are no chains to tell of.
pub(super) fn htstats_key(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let word = call.args.get(2);
    let unit = unit(call);
    let entry = unit.peek(unit.key(word)).ok_or(CommandError::NoSuchKey)?;
    let is_table = matches!(entry.encoding(), Encoding::HashTable | Encoding::Skiplist);
    let Some(object) = entry.object().filter(|_| is_table) else {
        return Err(CommandError::Fixed(
            "ERR The value stored at the specified key is not represented using an hash table",
        ));
    };
    let elements = object.len();
    let text = format!("Hash table 0 stats (main hash table):\n number of elements: {elements}\n");
    call.reply.verbatim(b"txt", text.as_bytes());
    Ok(())
}

/// DEBUG LISTPACK key: its elements, one a line, in the log.
pub(super) fn listpack(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let word = call.args.get(2);
    let unit = unit(call);
    let entry = unit.peek(unit.key(word)).ok_or(CommandError::NoSuchKey)?;
    let is_packed = entry.encoding() == Encoding::Listpack;
    let Some(object) = entry.object().filter(|_| is_packed) else {
        return Err(CommandError::Fixed("ERR Not a listpack encoded object."));
    };
    let mut elements = Vec::new();
    let mut put = |element: Element<'_>| {
        elements.push(element.bytes(&mut [0; 20]).escape_ascii().to_string());
    };
    match &**object {
        Object::List(list) => list.iter().for_each(put),
        Object::Set(set) => set.iter().for_each(put),
        Object::Hash(hash) => hash.iter().for_each(|field| {
            put(field.name);
            put(field.value);
        }),
        Object::SortedSet(set) => {
            for (score, member) in set.iter() {
                put(member);
                let mut digits = Vec::new();
                resp::number::write_f64(&mut digits, score);
                put(Element::Bytes(&digits));
            }
        }
        Object::Stream(_) => unreachable!("its encoding is its own"),
    }
    let bytes = object.memory_bytes();
    let count = elements.len();
    log::notice(format_args!(
        "DEBUG LISTPACK: {bytes} bytes, {count} elements"
    ));
    for (at, element) in elements.iter().enumerate() {
        log::notice(format_args!("{{{at}}} \"{element}\""));
    }
    call.reply.simple(b"Listpack structure printed on stdout");
    Ok(())
}

/// DEBUG OBJECT key: where the entry is, how its value is held, how long ago it was used.
pub(super) fn object(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let compress = call.desk.live.settings.rdb_compression;
    let word = call.args.get(2);
    let unit = unit(call);
    let key = unit.key(word);
    let Some(entry) = unit.peek(key) else {
        return Err(CommandError::NoSuchKey);
    };
    // The key is part of the entry, so that its address tells whether the entry is still the same.
    let (address, encoding, access) = (entry.key().as_ptr(), entry.encoding(), entry.access());
    let mut payload = Vec::new();
    payload
        .try_reserve(entry.memory_bytes().saturating_add(64))
        .map_err(|_| CommandError::Refused)?;
    let mut compressor = compress.then(Compressor::new);
    rdb::dump(entry.value(), compressor.as_mut(), &mut payload);
    // DUMP's type, version and checksum are not part of the length.
    let serialized = payload.len() - 1 - 2 - 8;
    let idle = unit.idle_seconds(access);
    // Redis's clock of 24 bits, in seconds.
    let now = u64::try_from(unit.now_ms() / 1_000).unwrap_or(0);
    let lru = now.saturating_sub(idle) & 0xFF_FFFF;
    let text = format!(
        "Value at:{address:p} refcount:1 encoding:{} serializedlength:{serialized} lru:{lru} \
         lru_seconds_idle:{idle}",
        encoding.name()
    );
    call.reply.simple(text.as_bytes());
    Ok(())
}

/// DEBUG POPULATE count [prefix] [size]
///
/// Keys that are there stay as they are. A size pads the value with zeros, or cuts it.
pub(super) fn populate(call: &mut AdminCall<'_, '_>) -> Result<(), CommandError> {
    let args = call.args;
    let count = positive(args.get(2))?;
    let prefix = args.try_get(3).unwrap_or(b"key");
    let size = match args.try_get(4) {
        Some(word) => positive(word)?,
        None => 0,
    };
    let (mut name, mut value) = (prefix.to_vec(), Vec::new());
    value
        .try_reserve(size.max(32))
        .map_err(|_| CommandError::Refused)?;
    name.push(b':');
    let start = name.len();
    let unit = unit(call);
    for number in 0..count {
        let digits = number.to_string();
        name.truncate(start);
        name.extend_from_slice(digits.as_bytes());
        value.clear();
        value.extend_from_slice(b"value:");
        value.extend_from_slice(digits.as_bytes());
        if size > 0 {
            value.resize(size, 0);
        }
        if let Slot::Vacant(place) = unit.slot(unit.key(&name)) {
            place.insert_string(NewStr::of(&value), None)?;
        }
    }
    call.reply.ok();
    Ok(())
}

fn positive(word: &[u8]) -> Result<usize, CommandError> {
    resp::number::parse_i64(word)
        .and_then(|number| usize::try_from(number).ok())
        .ok_or(CommandError::Fixed(
            "ERR value is out of range, must be positive",
        ))
}
