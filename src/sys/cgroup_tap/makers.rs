//! Who makes and connects sockets: told by the process itself when it does so, so that no socket is too short-lived.

use crate::sys::ebpf::{
    self, Code, Helper, Program, ProgramKind,
    Register::{R0, R1, R2, R10},
    Width,
};

use super::{
    program::set,
    record::{CONNECTED, CREATED},
    tables::{MAKER_BYTES, Tables},
};

const COOKIE: i16 = -8;
const MAKER: i16 = -32;
const MAKER_LAST: i16 = 23;

/// Programs that note the maker of each socket.
pub(super) fn programs(tables: &Tables) -> Result<[Program; 3], ebpf::Error> {
    Ok([
        Program::load("pcs_created", ProgramKind::SocketCreate, note(tables, CREATED))?,
        Program::load("pcs_connected4", ProgramKind::Connect4, note(tables, CONNECTED))?,
        Program::load("pcs_connected6", ProgramKind::Connect6, note(tables, CONNECTED))?,
    ])
}

fn note(tables: &Tables, deed: u8) -> Code {
    const ALLOWED: i32 = 1;
    let mut code = Code::new();
    code.call(Helper::SocketCookie);
    code.store(Width::Double, R10.at(COOKIE), R0);
    code.call(Helper::CurrentPidTgid);
    // The thread is the lower half.
    code.store(Width::Word, R10.at(MAKER + 4), R0);
    code.calculate(ebpf::Operation::ShiftRight, R0, 32);
    code.store(Width::Word, R10.at(MAKER), R0);
    code.set(R1, R10);
    code.add(R1, i32::from(MAKER + 8));
    code.set(R2, MAKER_BYTES.cast_signed() - 8);
    code.call(Helper::CurrentComm);
    // The last byte of a command is zero.
    code.store(Width::Byte, R10.at(MAKER + MAKER_LAST), i32::from(deed));
    set(&mut code, &tables.makers, COOKIE, MAKER);
    code.set(R0, ALLOWED);
    code.exit();
    code
}
