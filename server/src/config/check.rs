//! What single parameters allow beyond their kind; the texts are those that CONFIG SET answers with.

use super::title;

pub(super) fn save_and_nosave(bits: u32) -> Result<(), &'static str> {
    if bits & 3 == 3 {
        Err("shutdown options SAVE and NOSAVE can't be used simultaneously")
    } else {
        Ok(())
    }
}

/// Whether a name contains a folder.
fn has_folder(name: &[u8]) -> bool {
    name.contains(&b'/') || name.contains(&b'\\')
}

pub(super) fn db_file_name(name: &[u8]) -> Result<(), &'static str> {
    if has_folder(name) {
        Err("dbfilename can't be a path, just a filename")
    } else {
        Ok(())
    }
}

pub(super) fn aof_file_name(name: &[u8]) -> Result<(), &'static str> {
    match name {
        b"" => Err("appendfilename can't be empty"),
        _ if has_folder(name) => Err("appendfilename can't be a path, just a filename"),
        _ => Ok(()),
    }
}

pub(super) fn aof_dir_name(name: &[u8]) -> Result<(), &'static str> {
    match name {
        b"" => Err("appenddirname can't be empty"),
        _ if has_folder(name) => Err("appenddirname can't be a path, just a dirname"),
        _ => Ok(()),
    }
}

pub(super) fn host_name(name: &[u8]) -> Result<(), &'static str> {
    if name.len() >= 256 {
        return Err("Hostnames must be less than 256 characters");
    }
    match name
        .iter()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
    {
        true => Ok(()),
        false => Err("Hostnames may only contain alphanumeric characters, hyphens or dots"),
    }
}

pub(super) fn title_template(template: &[u8]) -> Result<(), &'static str> {
    match title::expand(template, |_| Some(String::new())) {
        Some(_) => Ok(()),
        None => Err("template format is invalid or contains unknown variables"),
    }
}
