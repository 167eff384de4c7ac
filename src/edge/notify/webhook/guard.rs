//! Where a webhook may go: HTTPS to public addresses, or hosts that the configuration lists as private. Never link-local
//! (cloud metadata), never anywhere a redirect or a changed name leads.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// Not `https://host…`.
    #[error("not an address of the form https://host/path")]
    NotAnAddress,
    /// Without TLS, to a host that is not listed.
    #[error("http:// is only for hosts listed in private_hosts")]
    Plain,
    /// Leads into a network that is not public.
    #[error("the host leads to a private network and is not listed in private_hosts")]
    Private,
}

/// A checked address.
#[derive(Clone, PartialEq, Eq)]
pub struct Place {
    /// Name or number of the host.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Path and query.
    pub path: String,
    /// Over TLS.
    pub is_secure: bool,
    /// Private networks are allowed.
    pub is_private: bool,
}

impl Place {
    /// Reads an address.
    pub fn parse(url: &str, private_hosts: &[String]) -> Result<Self, Forbidden> {
        let parsed: axum::http::Uri = url.parse().map_err(|_| Forbidden::NotAnAddress)?;
        let is_secure = match parsed.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(Forbidden::NotAnAddress),
        };
        let authority = parsed.authority().filter(|authority| !authority.as_str().contains('@')).ok_or(Forbidden::NotAnAddress)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
        let is_private = private_hosts.iter().any(|known| known.eq_ignore_ascii_case(&host));
        if !is_secure && !is_private {
            return Err(Forbidden::Plain);
        }
        let port = authority.port_u16().unwrap_or(if is_secure { 443 } else { 80 });
        let path = parsed.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let place = Self { host, port, path, is_secure, is_private };
        match place.host.parse::<IpAddr>() {
            Ok(ip) if !place.allows(ip) => Err(Forbidden::Private),
            _ => Ok(place),
        }
    }

    /// Whether a connection to this address is allowed.
    pub fn allows(&self, ip: IpAddr) -> bool {
        let ip = match ip {
            IpAddr::V6(six) => six.to_ipv4_mapped().map_or(IpAddr::V6(six), IpAddr::V4),
            IpAddr::V4(_) => ip,
        };
        match ip {
            IpAddr::V4(four) => !is_never(four) && (self.is_private || is_public(four)),
            IpAddr::V6(six) => !is_never_six(six) && (self.is_private || is_public_six(six)),
        }
    }
}

/// Link-local holds the metadata services of clouds; the others are nobody's address.
fn is_never(ip: Ipv4Addr) -> bool {
    ip.is_link_local() || ip.is_multicast() || ip.is_broadcast() || ip.is_unspecified()
}

fn is_public(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    let is_shared = a == 100 && (64..128).contains(&b); // RFC 6598, carrier NAT
    let is_special = a == 0 || a >= 240 || (a == 198 && (b == 18 || b == 19)) || (a == 192 && b == 0);
    !(ip.is_private() || ip.is_loopback() || ip.is_documentation() || is_shared || is_special)
}

fn is_never_six(ip: Ipv6Addr) -> bool {
    ip.is_unicast_link_local() || ip.is_multicast() || ip.is_unspecified()
}

/// Global unicast only, without the ranges that carry a v4 address inside.
fn is_public_six(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    let is_global = first & 0xe000 == 0x2000;
    let is_tunnel = first == 0x2002 || (first == 0x2001 && (second == 0 || second == 0xdb8));
    is_global && !is_tunnel
}
