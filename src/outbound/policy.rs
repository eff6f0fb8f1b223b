//! Which addresses may be reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

mod reserved;
#[cfg(test)]
mod tests;

/// Which addresses may be reached: by default all public ones and, because users watch what is their own, loopback and
/// private networks; never link-local addresses, where clouds hand out credentials, and what is no peer at all.
///
/// In this order: what `deny` has is forbidden; what `allow` has may be reached, whatever it is; with `allow_only`
/// nothing else; and then the rules above hold. An IPv6 address that only wraps an IPv4 address (IPv4-mapped and
/// -compatible, NAT64, 6to4) is judged as that one, and `deny` sees both.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// May be reached, whatever it is.
    pub allow: Vec<IpNet>,
    /// Must not be reached, even if `allow` has it.
    pub deny: Vec<IpNet>,
    /// Whether only what `allow` has may be reached.
    pub allow_only: bool,
}

impl Policy {
    /// Whether the address may be reached; if not, why.
    pub fn check(&self, address: IpAddr) -> Result<(), String> {
        let meant = wrapped(address).map_or(address, IpAddr::V4);
        let has = |network: &&IpNet| network.contains(&meant) || network.contains(&address);
        if let Some(network) = self.deny.iter().find(has) {
            return Err(format!("{network} is denied by the configuration"));
        }
        if self.allow.iter().any(|network| network.contains(&meant)) {
            return Ok(());
        }
        if self.allow_only {
            return Err("the configuration does not allow it".to_owned());
        }
        reserved::kind(meant).map_or(Ok(()), |kind| Err(format!("it is {kind}")))
    }
}

/// A network as a configuration has it: `10.0.0.0/8`, or an address alone.
pub fn network(raw: &str) -> Result<IpNet, String> {
    // The standard library refuses 010.0.0.0, which is 8.0.0.0 to some; so the address is read by it.
    let (address, prefix) = raw.split_once('/').map_or((raw, None), |(address, rest)| (address, Some(rest)));
    let network = address.parse::<IpAddr>().ok().and_then(|address| match prefix {
        Some(prefix) => IpNet::new(address, prefix.parse().ok()?).ok(),
        None => Some(address.into()),
    });
    let Some(network) = network else {
        return Err(format!(
            "{raw:?} is not a network, such as \"10.0.0.0/8\", \"fd00::/8\" or \"10.1.2.3\""
        ));
    };
    if network != network.trunc() {
        return Err(format!("{raw:?} has bits beyond its prefix; the network is \"{}\"", network.trunc()));
    }
    if matches!(network, IpNet::V6(network) if network.addr().to_ipv4_mapped().is_some()) {
        return Err(format!("{raw:?} stands for IPv4 addresses; write them as such"));
    }
    Ok(network)
}

/// The 96 bits before the IPv4 address: compatible (RFC 4291, 2.5.5.1), mapped (2.5.5.2), translated (RFC 7915), NAT64
/// (RFC 6052).
const BEFORE: [u128; 4] = [0, 0xffff, 0xffff_0000, 0x64_ff9b << 64];

/// The IPv4 address that an IPv6 address only wraps: where a connection to it would end.
fn wrapped(address: IpAddr) -> Option<Ipv4Addr> {
    let IpAddr::V6(v6) = address else { return None };
    if [Ipv6Addr::UNSPECIFIED, Ipv6Addr::LOCALHOST].contains(&v6) {
        return None;
    }
    match v6.octets() {
        [.., a, b, c, d] if BEFORE.contains(&(v6.to_bits() >> 32)) => Some([a, b, c, d].into()),
        // 6to4 (RFC 3056).
        [0x20, 0x02, a, b, c, d, ..] => Some([a, b, c, d].into()),
        _ => None,
    }
}
