// apply-object applies one object, read as JSON from standard input, at the API of the cluster that its pod runs in:
//
//	apply-object /apis/GROUP/VERSION/namespaces/NAMESPACE/RESOURCES/NAME FIELD-MANAGER < object.json
//
// It is written here because a pod that makes one object needs no kubectl of sixty megabytes.
package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"
)

const account = "/var/run/secrets/kubernetes.io/serviceaccount/"

func main() {
	if err := apply(); err != nil {
		fmt.Fprintln(os.Stderr, "apply-object:", err)
		os.Exit(1)
	}
}

// apply is a server-side apply: done twice it changes nothing.
func apply() error {
	if len(os.Args) != 3 || !strings.HasPrefix(os.Args[1], "/api") {
		return errors.New("usage: apply-object PATH-OF-THE-OBJECT FIELD-MANAGER < object.json")
	}
	object, err := io.ReadAll(io.LimitReader(os.Stdin, 1<<20))
	if err != nil {
		return fmt.Errorf("standard input cannot be read: %w", err)
	}
	token, err := os.ReadFile(account + "token")
	if err != nil {
		return fmt.Errorf("this pod has no service account: %w", err)
	}
	authority, err := os.ReadFile(account + "ca.crt")
	if err != nil {
		return fmt.Errorf("this pod does not know the cluster's authority: %w", err)
	}
	trusted := x509.NewCertPool()
	if !trusted.AppendCertsFromPEM(authority) {
		return fmt.Errorf("%sca.crt holds no certificate", account)
	}
	host := net.JoinHostPort(os.Getenv("KUBERNETES_SERVICE_HOST"), os.Getenv("KUBERNETES_SERVICE_PORT"))
	query := url.Values{"fieldManager": {os.Args[2]}, "force": {"true"}}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPatch, "https://"+host+os.Args[1]+"?"+query.Encode(), bytes.NewReader(object))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	request.Header.Set("Content-Type", "application/apply-patch+yaml")
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: trusted, MinVersion: tls.VersionTLS12}}}
	answer, err := client.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, 4096))
	if err != nil {
		return err
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("the API answered %s: %s", answer.Status, said)
	}
	return nil
}
