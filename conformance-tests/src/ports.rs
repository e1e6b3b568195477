//! Servers that name each other by their ports: what a client reads instead, so that it comes over the lines.

use std::io::{Error, ErrorKind};
use std::sync::Arc;

use tokio::net::TcpListener;

/// The ports of servers as they name each other, and those that the client shall read instead.
pub(crate) type Ports = Arc<[(String, String)]>;

pub(crate) fn ports(doors: &[(&str, TcpListener)]) -> std::io::Result<Vec<(String, String)>> {
    doors
        .iter()
        .map(|(target, door)| {
            let port = target.strip_prefix("127.0.0.1:").filter(|port| port.len() == 5);
            let port =
                port.ok_or_else(|| Error::new(ErrorKind::InvalidInput, "not a port of five digits at 127.0.0.1"))?;
            // Those that the system chooses by itself have five digits.
            Ok((port.to_owned(), door.local_addr()?.port().to_string()))
        })
        .collect()
}

/// Replaces ports that stand by themselves, as text. Both have as many digits, so that nothing moves.
pub(crate) fn rename(bytes: &mut [u8], ports: &Ports) {
    let mut start = 0;
    while let Some(colon) = bytes[start..].iter().position(|byte| matches!(byte, b':' | b'\n')) {
        start += colon + 1;
        let named = bytes.get(start..start + 5).filter(|_| matches!(bytes.get(start + 5), Some(b'\r' | 0)));
        if let Some((_, port)) = named.and_then(|named| ports.iter().find(|(port, _)| port.as_bytes() == named)) {
            bytes[start..start + 5].copy_from_slice(port.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_renamed_where_it_stands_by_itself() {
        let ports: Ports = Arc::new([("21000".to_owned(), "40123".to_owned())]);
        let mut said =
            b"*2\r\n:21000\r\n$5\r\n21000\r\n-MOVED 7 127.0.0.1:21000\r\n{\"n\":21000}\n210001\r\n:21000\0:2100"
                .to_vec();
        rename(&mut said, &ports);
        let renamed =
            "*2\r\n:40123\r\n$5\r\n40123\r\n-MOVED 7 127.0.0.1:40123\r\n{\"n\":21000}\n210001\r\n:40123\0:2100";
        assert_eq!(String::from_utf8_lossy(&said), renamed);
    }
}
