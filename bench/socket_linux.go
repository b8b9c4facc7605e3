package main

import (
	"fmt"
	"syscall"
	"unsafe"
)

// pollMillis bounds how long the loop sleeps, and so how late it sees an order.
const pollMillis = 5

// newLoop listens for the proxies that are to reach the app.
func newLoop() (*loop, error) {
	poll, err := syscall.EpollCreate1(syscall.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	l := &loop{poll: poll, conns: map[int]*conn{}, orders: make(chan order), tallies: make(chan tally)}
	if l.listener, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC, 0); err != nil {
		return nil, err
	}
	if err := syscall.Bind(l.listener, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return nil, err
	}
	if err := syscall.Listen(l.listener, 1024); err != nil {
		return nil, err
	}
	at, err := syscall.Getsockname(l.listener)
	if err != nil {
		return nil, err
	}
	l.upstream = fmt.Sprintf("127.0.0.1:%d", at.(*syscall.SockaddrInet4).Port)
	return l, l.watch(l.listener)
}

// watch waits for a socket to be readable.
func (l *loop) watch(fd int) error {
	return syscall.EpollCtl(l.poll, syscall.EPOLL_CTL_ADD, fd, &syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(fd)})
}

// dial connects a client.
func (l *loop) dial(addr string) (*conn, error) {
	ip, port, err := split(addr)
	if err != nil {
		return nil, err
	}
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := syscall.Connect(fd, &syscall.SockaddrInet4{Addr: ip, Port: port}); err != nil {
		return nil, fmt.Errorf("connect to %s: %w", addr, err)
	}
	return l.adopt(fd, true)
}

// adopt takes a connected socket into the loop.
func (l *loop) adopt(fd int, client bool) (*conn, error) {
	c := &conn{fd: fd, client: client, in: make([]byte, 0, 16<<10), out: make([]byte, 0, 4<<10)}
	l.conns[fd] = c
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, err
	}
	if err := syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1); err != nil {
		return nil, err
	}
	return c, l.watch(fd)
}

// forget closes a socket.
func (l *loop) forget(c *conn) {
	if l.conns[c.fd] != c {
		return
	}
	delete(l.conns, c.fd)
	_ = syscall.Close(c.fd)
}

// wait handles what happens within a few milliseconds.
func (l *loop) wait() {
	var events [128]syscall.EpollEvent
	// Raw: the runtime need not know that this thread waits.
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(l.poll), uintptr(unsafe.Pointer(&events[0])), uintptr(len(events)), pollMillis, 0, 0)
	if errno != 0 {
		return
	}
	for _, e := range events[:n] {
		if int(e.Fd) == l.listener {
			l.accept()
			continue
		}
		if c := l.conns[int(e.Fd)]; c != nil {
			l.read(c)
		}
	}
}

// accept takes the proxies' connections to the app.
func (l *loop) accept() {
	for {
		fd, _, err := syscall.Accept4(l.listener, syscall.SOCK_NONBLOCK|syscall.SOCK_CLOEXEC)
		if err != nil {
			return
		}
		if _, err := l.adopt(fd, false); err != nil {
			_ = syscall.Close(fd)
		}
	}
}

// read takes what a socket has.
func (l *loop) read(c *conn) {
	free := c.in[len(c.in):cap(c.in)]
	if len(free) == 0 {
		l.lose(c)
		return
	}
	n, _, errno := syscall.RawSyscall(syscall.SYS_READ, uintptr(c.fd), uintptr(unsafe.Pointer(&free[0])), uintptr(len(free)))
	switch {
	case errno == syscall.EAGAIN || errno == syscall.EINTR:
	case errno != 0 || n == 0:
		l.lose(c)
	default:
		c.in = c.in[:len(c.in)+int(n)]
		l.received(c)
	}
}

// write sends what fits a socket's buffer with certainty; anything less is a broken connection.
func write(fd int, p []byte) bool {
	n, _, errno := syscall.RawSyscall(syscall.SYS_WRITE, uintptr(fd), uintptr(unsafe.Pointer(&p[0])), uintptr(len(p)))
	return errno == 0 && int(n) == len(p)
}
