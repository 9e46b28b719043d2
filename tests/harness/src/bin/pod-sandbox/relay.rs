//! Connections between a Pod's network and the machine's.

use std::net::Ipv4Addr;
use std::path::PathBuf;

use harness::pods::protocol::{self, Request};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream, UnixStream};

/// Carries what connects to the Pod's loopback to the same port of the machine's.
pub(crate) async fn outwards(listener: TcpListener, port: u16, outside: PathBuf) {
    while let Ok((mut inner, _)) = listener.accept().await {
        let outside = outside.clone();
        tokio::spawn(async move {
            // Whoever connects sees a refusal as a connection that ends.
            let Ok(mut outer) = UnixStream::connect(outside).await else {
                return;
            };
            if protocol::write_line(&mut outer, &Request::Dial(port))
                .await
                .is_ok()
            {
                let _ = copy_bidirectional(&mut inner, &mut outer).await;
            }
        });
    }
}

/// Carries a connection to a port of the Pod's own address: like a kubelet it does not reach who listens on 127.0.0.1 alone.
pub(crate) async fn inwards(mut outer: UnixStream, pod: Ipv4Addr, port: u16) {
    // Nobody may listen there yet; the other side sees its connection end.
    if let Ok(mut inner) = TcpStream::connect((pod, port)).await {
        let _ = copy_bidirectional(&mut inner, &mut outer).await;
    }
}
