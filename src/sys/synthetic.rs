//! The made-up Ethernet header for interfaces without a link layer, so that one file needs one link type.

/// Zero addresses and the ether type that fits the packet's version nibble.
pub(super) fn ethernet_header(packet: &[u8]) -> [u8; 14] {
    let mut header = [0; 14];
    let ether_type: u16 = if packet.first().is_some_and(|byte| byte >> 4 == 6) { 0x86dd } else { 0x0800 };
    header[12..].copy_from_slice(&ether_type.to_be_bytes());
    header
}
