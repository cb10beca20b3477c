//! How a container is connected, in one word: what is seen counts more than what was asked for.

use crate::model::{Container, Endpoint, HostSide, LinkKind, NamespaceId, NetworkMode};

use crate::discovery::RequestedMode;

use super::wiring::Wiring;

pub(super) fn of(
    container: &Container,
    request: Option<&RequestedMode>,
    host: Option<NamespaceId>,
    wiring: &Wiring<'_>,
) -> NetworkMode {
    if matches!(request, Some(RequestedMode::Container(_))) {
        return NetworkMode::Shared;
    }
    let Some(namespace) = container.namespace else { return as_requested(container, request) };
    if Some(namespace) == host {
        return NetworkMode::Host;
    }
    let was_read = !wiring.links(namespace).is_empty();
    match container.endpoints.iter().find_map(of_endpoint) {
        Some(mode) => mode,
        None if was_read && container.endpoints.is_empty() => NetworkMode::None,
        None => as_requested(container, request),
    }
}

fn of_endpoint(endpoint: &Endpoint) -> Option<NetworkMode> {
    match (&endpoint.host_side, &endpoint.link.kind) {
        (HostSide::Pair { bridge: Some(_), .. }, _) => Some(NetworkMode::Bridge),
        (HostSide::Pair { bridge: None, .. }, _) => Some(NetworkMode::Routed),
        (_, LinkKind::Macvlan) => Some(NetworkMode::Macvlan),
        (_, LinkKind::Ipvlan) => Some(NetworkMode::Ipvlan),
        (_, LinkKind::Tun) => Some(NetworkMode::Tap),
        (HostSide::Unconfirmed { .. }, _) | (_, LinkKind::Bridge) => None,
        (_, other) => Some(NetworkMode::Other(other.to_string())),
    }
}

fn as_requested(container: &Container, request: Option<&RequestedMode>) -> NetworkMode {
    match request {
        Some(RequestedMode::Mode(mode)) => mode.clone(),
        Some(RequestedMode::Container(_)) => NetworkMode::Shared,
        Some(RequestedMode::Network(_))
            if container.networks.iter().any(|member| member.bridge.is_some()) =>
        {
            NetworkMode::Bridge
        }
        Some(RequestedMode::Network(_)) => NetworkMode::Other("network".to_owned()),
        None => NetworkMode::Other("unknown".to_owned()),
    }
}
