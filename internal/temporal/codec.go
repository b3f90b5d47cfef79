package temporal

import (
	"fmt"
	"net/http"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"google.golang.org/protobuf/proto"
)

// sealedEncoding marks a payload of ours in its metadata; others pass through untouched.
const sealedEncoding = "binary/busbar-sealed"

// sealContext binds the ciphertext to its use: what was sealed as something else can't be passed off as a payload.
const sealContext = "temporal-payload"

// Sealer encrypts and authenticates; context must be the same at both ends. Safe for concurrent use.
type Sealer interface {
	Seal(plaintext []byte, context string) ([]byte, error)
	Open(sealed []byte, context string) ([]byte, error)
}

// NewCodec returns a codec that seals whole payloads, metadata included.
func NewCodec(sealer Sealer) converter.PayloadCodec {
	return codec{sealer}
}

// NewCodecHandler serves /encode and /decode for the Temporal UI's remote codec. Whoever reaches it can read payloads:
// put it behind the same login as the rest.
func NewCodecHandler(sealer Sealer) http.Handler {
	return converter.NewPayloadCodecHTTPHandler(NewCodec(sealer))
}

type codec struct{ sealer Sealer }

var _ converter.PayloadCodec = codec{}

func (c codec) Encode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	encoded := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		plain, err := proto.Marshal(p)
		if err != nil {
			return nil, fmt.Errorf("marshal payload: %w", err)
		}
		sealed, err := c.sealer.Seal(plain, sealContext)
		if err != nil {
			return nil, fmt.Errorf("seal payload: %w", err)
		}
		encoded[i] = &commonpb.Payload{
			Metadata: map[string][]byte{converter.MetadataEncoding: []byte(sealedEncoding)},
			Data:     sealed,
		}
	}
	return encoded, nil
}

func (c codec) Decode(payloads []*commonpb.Payload) ([]*commonpb.Payload, error) {
	decoded := make([]*commonpb.Payload, len(payloads))
	for i, p := range payloads {
		if string(p.GetMetadata()[converter.MetadataEncoding]) != sealedEncoding {
			decoded[i] = p
			continue
		}
		plain, err := c.sealer.Open(p.GetData(), sealContext)
		if err != nil {
			return nil, fmt.Errorf("open payload: %w", err)
		}
		decoded[i] = &commonpb.Payload{}
		if err := proto.Unmarshal(plain, decoded[i]); err != nil {
			return nil, fmt.Errorf("unmarshal payload: %w", err)
		}
	}
	return decoded, nil
}
