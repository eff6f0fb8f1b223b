//! Addresses that no check, webhook or backup has any business with, after the registries of special addresses of the
//! IANA and the documentation of the clouds.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};

const METADATA: &str = "a metadata address of a cloud";
const LINK_LOCAL: &str = "a link-local address";
const MULTICAST: &str = "a multicast address";
const DOCUMENTATION: &str = "an address for documentation";
const RESERVED: &str = "a reserved address";

/// The first that has an address says what it is.
const V4: [(Ipv4Net, &str); 15] = [
    (v4([169, 254, 169, 254], 32), METADATA), // AWS, Azure, Google, Oracle, OpenStack, …
    (v4([169, 254, 170, 0], 24), METADATA),   // AWS, credentials of containers
    (v4([100, 100, 100, 200], 32), METADATA), // Alibaba
    (v4([168, 63, 129, 16], 32), METADATA),   // Azure, the platform's own server
    (v4([192, 0, 0, 192], 32), METADATA),     // Oracle, of old
    (v4([169, 254, 0, 0], 16), LINK_LOCAL),   // RFC 3927
    (v4([0, 0, 0, 0], 8), "no address of a host"), // RFC 791; Linux takes 0.0.0.0 for loopback
    (v4([192, 0, 2, 0], 24), DOCUMENTATION),  // RFC 5737
    (v4([198, 51, 100, 0], 24), DOCUMENTATION),
    (v4([203, 0, 113, 0], 24), DOCUMENTATION),
    (v4([192, 0, 0, 0], 24), RESERVED),   // RFC 6890
    (v4([192, 88, 99, 0], 24), RESERVED), // RFC 7526, relays that are no more
    (v4([198, 18, 0, 0], 15), RESERVED),  // RFC 2544, benchmarks
    (v4([224, 0, 0, 0], 4), MULTICAST),   // RFC 5771
    (v4([240, 0, 0, 0], 4), RESERVED),    // RFC 1112; 255.255.255.255 is told apart
];

/// The first that has an address says what it is.
const V6: [(Ipv6Net, &str); 9] = [
    (v6([0xfd00, 0xec2, 0, 0, 0, 0, 0, 0], 64), METADATA), // AWS
    (v6([0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254], 128), METADATA), // Google
    (v6([0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe], 128), METADATA), // Oracle
    (v6([0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42], 128), METADATA), // Scaleway
    (v6([0xfe80, 0, 0, 0, 0, 0, 0, 0], 10), LINK_LOCAL),   // RFC 4291
    (v6([0xff00, 0, 0, 0, 0, 0, 0, 0], 8), MULTICAST),     // RFC 4291
    (v6([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32), DOCUMENTATION), // RFC 3849
    (v6([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20), DOCUMENTATION), // RFC 9637
    (v6([0x2001, 0, 0, 0, 0, 0, 0, 0], 23), RESERVED),     // RFC 2928, Teredo among them
];

/// All else of IPv6 is not given out: RFC 4291, RFC 4193.
const V6_IN_USE: [Ipv6Net; 3] = [
    v6([0x2000, 0, 0, 0, 0, 0, 0, 0], 3), // public
    v6([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7), // private
    v6([0, 0, 0, 0, 0, 0, 0, 1], 128),    // loopback
];

/// What the address is, if it is not to be reached.
pub(super) fn kind(address: IpAddr) -> Option<&'static str> {
    match address {
        IpAddr::V4(Ipv4Addr::BROADCAST) => Some("the broadcast address"),
        IpAddr::V4(v4) => V4.iter().find(|(network, _)| network.contains(&v4)).map(|(_, kind)| *kind),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Some("no address of a host"),
        IpAddr::V6(v6) => match V6.iter().find(|(network, _)| network.contains(&v6)) {
            Some((_, kind)) => Some(kind),
            None if V6_IN_USE.iter().any(|network| network.contains(&v6)) => None,
            None => Some(RESERVED),
        },
    }
}

const fn v4(octets: [u8; 4], prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::from_octets(octets), prefix)
}

const fn v6(segments: [u16; 8], prefix: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::from_segments(segments), prefix)
}
